"""`touchstone testset attack`: pictures changed so that a detector is mistaken, and how little it took."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from evidence.errors import DataError, UsageError
from evidence.files import write_whole
from touchstone.cli.guard import NOTHING_DONE, Interrupted, patient_interrupts
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testsets.attacking import Assault, Original
    from testsets.tally import Line

SUMMARY = "attacks.json"


def register(group: typer.Typer) -> None:
    """Add the command to the group `touchstone testset`."""
    group.command()(attack)


def attack(
    pictures: Annotated[
        Path,
        typer.Argument(metavar="PICTURE|DIR", help="A picture, a folder of them, or a labelled collection."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where attacked pictures and the manifest go.")],
    attacks: Annotated[
        list[str],
        typer.Option(
            "--attack", metavar="NAME[:SETTING=VALUE,...]", help="Once for each; see docs/attacks.md."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.onnx", help="The detector, by default the shipped one; none: `-`."),
    ] = None,
    transfer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE.onnx", help="Score the results by this detector too: once for each."),
    ] = None,
    label: Annotated[
        Literal["real", "fake"] | None,
        typer.Option(help="What the pictures are, where nothing else says it."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of a labelled collection only this split.")] = None,
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most so many, spread over the folder.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    smallest: Annotated[
        bool, typer.Option("--smallest", help="Seek the smallest change that turns each verdict.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="The summary as one JSON object.")] = False,
) -> None:
    """Attack a detector: change pictures, as little as may be, so that its verdict turns.

    Writes each picture as PNG, in its size and with its label, and a manifest that `touchstone evaluate`
    reads: attack, seed, queries, PSNR, SSIM, scores before and after. The same command goes on where it was
    interrupted. Laundering (notch, resample, renoise, grid, rebuild, recode) asks no detector; pgd, apgd and
    patch need its gradients, hence touchstone[attacks]. Exit code 1 when some pictures could not be read.

    Example: `touchstone testset attack fakes/ --label fake --attack square:queries=1000 --out attacked/`
    """
    from testsets.attacking import Assault, attack_all
    from testsets.attacks import parse
    from testsets.tally import tally
    from worker.settings import load_settings
    from worker.targets import open_target

    asked, skipped = [parse(text) for text in attacks], Skipped()
    originals = _originals(pictures, out, label, split, count, skipped)
    settings = load_settings()
    target = None if model == "-" else open_target(settings, model)
    transfers = [open_target(settings, name) for name in transfer or ()]
    assault = Assault(asked, target, transfers, seed, smallest and target is not None)
    assault.check()
    with (
        patient_interrupts(),
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("attacks", total=len(originals) * len(asked))
        try:
            rows = attack_all(
                originals,
                assault,
                out,
                limits=settings.limits,
                on_row=lambda row: progress.advance(task),
                on_failed=skipped.add,
            )
        except KeyboardInterrupt:
            raise Interrupted("The same command goes on from here.") from None
    lines = tally(rows)
    summary = _summary(lines, assault, skipped)
    write_whole(out / SUMMARY, f"{json_module.dumps(summary, indent=2)}\n".encode())
    if json:
        print(json_module.dumps(summary, indent=2))
    else:
        _show(lines)
        print(f"{len(rows)} pictures in {out}")
        if skipped.count:
            print(skipped)
    raise typer.Exit(skipped.exit_code if rows else NOTHING_DONE)


def _originals(
    pictures: Path,
    out: Path,
    label: Literal["real", "fake"] | None,
    split: str | None,
    count: int | None,
    skipped: Skipped,
) -> list[Original]:
    """The pictures with what is known of each: as a labelled collection, else file by file."""
    from detector.readers import SUFFIXES, read
    from exports.forging import reals_in
    from testsets.attacking import Original, known

    if not pictures.exists():
        raise UsageError(f"There is nothing at {pictures}.", "Name a picture or a folder of them.")
    if pictures.is_dir() and out.resolve().is_relative_to(pictures.resolve()):
        raise UsageError(f"{out} lies in {pictures}.", "Name another --out: its pictures would be attacked.")
    if pictures.is_file() and pictures.suffix.lower() in SUFFIXES:
        return [Original(pictures.stem, pictures, label)]
    try:
        entries = read(pictures, split=split, on_unlabelled=lambda error: skipped.add(pictures, error))
    except DataError:
        if split is not None or pictures.is_file():
            raise
        return [Original(real.stem, real.path, label) for real in reals_in(pictures, count)]
    stills = [entry for entry in entries if entry.path.suffix.lower() in SUFFIXES and entry.inside is None]
    if not stills:
        raise UsageError(f"{pictures} holds no picture files.", "Of films and tables, write pictures first.")
    step = max(1.0, len(stills) / count) if count else 1.0
    chosen = [stills[int(number * step)] for number in range(min(count or len(stills), len(stills)))]
    return [known(entry) for entry in chosen if label in (None, entry.label)]


def _summary(lines: Sequence[Line], assault: Assault, skipped: Skipped) -> dict[str, Any]:
    return {
        "schema": "touchstone.attacks/1",
        "model": None if assault.target is None else assault.target.name,
        "seed": assault.seed,
        "attacks": [line.to_dict() for line in lines],
        "left_out": skipped.count,
    }


def _show(lines: Sequence[Line]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(title="Verdicts turned, of those that were right")
    for heading in ("attack", "detector", "label"):
        table.add_column(heading)
    for heading in ("judged", "turned", "95 % interval", "at 38 dB", "PSNR", "SSIM", "queries", "smallest"):
        table.add_column(heading, justify="right")
    for line in lines:
        low, high = line.interval
        turned = (str(line.judged), str(line.turned), f"{low:.0%}-{high:.0%}", str(line.turned_clear))
        table.add_row(
            line.attack,
            line.detector or "-",
            line.label or "-",
            *(turned if line.detector else ("-",) * 4),
            _number(line.psnr, 1),
            _number(line.ssim, 3),
            _number(line.queries, 0),
            _number(line.smallest, 2),
        )
    console.print(table)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
