"""`touchstone batch send`: an archive through a service that runs elsewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from touchstone.cli import options
from touchstone.cli.batch import exit_code, group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.verdict import Report
    from worker.requests import BatchItem

_NAMED = 20  # failures that are named at the end


def register(_: typer.Typer) -> None:
    """Add the command to the group of batches."""
    group.command()(send)


def send(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH|DIR|GLOB|MANIFEST|ADDRESS",
            help="Files to be uploaded; a .csv or .jsonl, or an address, of what the service reaches itself.",
        ),
    ],
    url: Annotated[str, typer.Option(metavar="http://HOST:PORT", help="Where the service is.")],
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds the API key, where the service asks for one.")
    ] = None,
    there: Annotated[
        bool, typer.Option("--there", help="Paths are files and folders of the service, not of this machine.")
    ] = False,
    lane: Annotated[Literal["batch", "low"], typer.Option(help="How urgent.")] = "batch",
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another detector of the service.")
    ] = None,
    every: options.Every = None,
    keyframes: options.Keyframes = False,
    max_frames: options.MaxFrames = None,
    csv: options.RowsCsv = None,
    jsonl: options.Jsonl = None,
    parquet: options.Parquet = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try once more what failed for a cause that may pass.")
    ] = False,
    fail_on: options.FailOn = None,
    progress: options.Progress = "auto",
) -> None:
    """Run an archive through a service, wait for its end, and write what came of it.

    Interrupted, the same command goes on where it was. Example: `touchstone batch send archive/ --url
    http://127.0.0.1:8700 --csv verdicts.csv`

    Exit codes: 0 done, 1 some media failed, 2 wrong usage, 3 nothing could be done, 10 see --fail-on.
    """
    from touchstone.cli import guard
    from touchstone.cli.archive import say
    from touchstone.cli.results import check_results, write_results
    from touchstone.cli.scan import check_sampling
    from touchstone.cli.sending import Sending, Wish
    from touchstone.cli.waiting import telling
    from touchstone.client import Client
    from touchstone.report.sink import STDOUT
    from worker.settings import load_settings

    check_sampling(keyframes, every)
    check_results(csv, jsonl)
    asked = {
        "priority": lane, "model": model, "every_seconds": every, "keyframes": keyframes or None,
        "max_frames": max_frames,
    }  # fmt: skip
    with guard.patient_interrupts(), Client(url, key=_key(key_file), timeout_seconds=300) as client:
        sending = Sending(client, Wish(url, tuple(what), asked, there), load_settings().data_dir)
        if sending.resumed:
            say("Going on with what was sent before.")
        try:
            with telling(progress) as tell:
                sending.send(tell)
                standing = sending.wait(tell)
                if retry and standing.retriable:
                    sending.retry()
                    standing = sending.wait(tell)
        except KeyboardInterrupt:
            raise guard.Interrupted(
                "What was sent is worked on by the service. The same command goes on."
            ) from None
        failed: list[Report] = []
        write_results(_noting(sending.reports(), failed), csv, jsonl, parquet)
        sending.forget()
    causes = Counter(report.reason.code for report in failed if report.reason is not None)
    standing = replace(standing, failures=dict(causes))
    _name_failures(failed)
    if STDOUT in (csv, jsonl):
        say(str(standing))
    else:
        print(standing)
    raise typer.Exit(exit_code(standing, fail_on))


def _noting(
    found: Iterator[tuple[BatchItem, Report]], failed: list[Report]
) -> Iterator[tuple[BatchItem, Report]]:
    for item, report in found:
        if report.status == "unable":
            failed.append(report)
        yield item, report


def _name_failures(failed: list[Report]) -> None:
    from touchstone.cli.archive import say
    from touchstone.report.wording import visible

    for report in failed[:_NAMED]:
        if report.reason is not None:
            say(f"{report.reason.code}: {visible(report.media['path'])}: {visible(report.reason.message)}")
    if len(failed) > _NAMED:
        say(f"{len(failed) - _NAMED} more failed; the results have them all.")


def _key(path: Path | None) -> str:
    from evidence.errors import UsageError

    if path is None:
        return ""
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key or not key.isascii() or len(key.split()) > 1:
        raise UsageError(f"{path} holds no API key.", "Put the line of `touchstone keys add` into it.")
    return key
