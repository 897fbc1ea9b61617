"""The `touchstone` command: one line each for what it can do; the work is imported when it is asked for."""

from __future__ import annotations

import contextlib
import io
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer

from touchstone.cli import (
    batch,
    doctor,
    evaluate,
    export,
    forge,
    generate,
    keys,
    lint,
    log,
    metrics,
    models,
    options,
    registry,
    rescan,
    send,
    serve,
    sign,
    testset,
    trace,
    train,
    trust,
    verify,
    watermark,
    worker,
)
from touchstone.cli.guard import guarded

app = typer.Typer(
    name="touchstone",
    help="A fake/real verdict on images and video that you can defend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _touchstone(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if show_version:
        print(version("touchstone"))
        raise typer.Exit


@app.command()
def scan(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH|DIR|GLOB|-", help="Media to scan; - reads one from standard input."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document: a report, or an array of them.")
    ] = False,
    jsonl: options.Jsonl = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A row a file; - is standard output.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One page with heat maps and timelines.")
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR", help="To be filed, with touchstone[pdf]; of several media a folder of them."
        ),
    ] = None,
    every: options.Every = None,
    keyframes: options.Keyframes = False,
    max_frames: options.MaxFrames = None,
    model: options.Model = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "tensorrt"] | None, typer.Option(help="Where the detector runs.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(metavar="N", min=1, max=64, help="Decoding processes.")] = None,
    fail_on: options.FailOn = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="STATE.jsonl", help="Keep reports here; what it already holds is not scanned."),
    ] = None,
    from_file: Annotated[
        str | None, typer.Option(metavar="LIST|-", help="Read the paths from a file, or from standard input.")
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Write the verdicts into the transparency log; reports carry proof.")
    ] = False,
    sign: Annotated[
        bool,
        typer.Option("--sign", help="Sign the reports that are files: REPORT.c2pa, by the settings' key."),
    ] = False,
    progress: options.Progress = "auto",
) -> None:
    """Give a verdict on pictures and videos.

    Examples: `touchstone scan photo.jpg` · `touchstone scan holiday/ --csv verdicts.csv --html report.html`
    · `curl -s URL | touchstone scan - --json`

    Exit codes: 0 done, 1 some files failed, 2 wrong usage, 3 nothing could be done, 10 see --fail-on.
    """
    from touchstone.cli.scan import ScanOptions, run

    code = run(
        ScanOptions(
            paths=tuple(paths or ()),
            from_file=from_file,
            json=json,
            jsonl=jsonl,
            csv=csv,
            html=html,
            pdf=pdf,
            resume=resume,
            every_seconds=every,
            keyframes=keyframes,
            max_frames=max_frames,
            model=model,
            device=device,
            jobs=jobs,
            fail_on_fake=fail_on == "fake",
            log=log,
            sign=sign,
            progress=progress,
        )
    )
    raise typer.Exit(code)


for _command in (
    batch,
    rescan,
    send,
    generate,
    forge,
    testset,
    train,
    export,
    evaluate,
    metrics,
    lint,
    models,
    verify,
    sign,
    watermark,
    trace,
    registry,
    trust,
    log,
    serve,
    worker,
    keys,
    doctor,
):
    _command.register(app)


def main() -> None:
    """Run the command line; the exit code is the process's."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # file names are bytes
    code = guarded(lambda: app(prog_name="touchstone"))
    try:
        sys.stdout.flush()
    except OSError:  # the reader of a pipe went away; nothing is left to say to it
        with contextlib.suppress(OSError):
            sys.stdout.close()
    sys.exit(code)
