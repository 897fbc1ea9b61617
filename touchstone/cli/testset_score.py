"""`touchstone testset score SET --model A --model B`: what breaks which detector, side by side."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from detector.compare import Comparison, Line
    from testsets.hard import Hard


def register(group: typer.Typer) -> None:
    """Add the command to the group `touchstone testset`."""
    group.command()(score)


def score(
    dataset: Annotated[Path, typer.Argument(metavar="SET", help="A test set, or any labelled collection.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the cards and the scores go.")],
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE.onnx", help="A detector, once for each; else the default alone."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    hard: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Gather what the first detector missed, with its twins, to train on."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The comparison as one JSON object.")] = False,
) -> None:
    """Score detectors on a test set: a card for each, and a page that sets them side by side.

    The page (`score.html`, `score.json` beside it) says which families, deliveries and attacks break which
    detector, the worst first, with pictures on which it was wrong. Every score is kept in the folder: the
    same command goes on where it was interrupted. Exit code 1 when files could not be read or have no label.

    Example: `touchstone testset score set/ --model touchstone-detector --model their.onnx --out scores/`
    """
    from detector.compare import Judged, compare
    from detector.evaluate import tabulate
    from detector.readers import read
    from testsets.hard import gather
    from touchstone.cli.measuring import opened_detector
    from touchstone.report.card import write_card
    from touchstone.report.comparison import comparison_json, write_comparison
    from touchstone.report.sink import unwritable
    from worker.settings import load_settings

    skipped = Skipped()
    entries = read(dataset, split=split, on_unlabelled=lambda error: skipped.add(dataset, error))
    about: dict[str, Any] = {"dataset": dataset.resolve().name, "split": split}
    judged: dict[str, Judged] = {}
    sums: dict[str, str] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    for name, file in _files(model or [""]).items():
        settings = load_settings(model=name or None)
        with (
            opened_detector(settings, out / f"{file}.jsonl") as detector,
            Progress(console=Console(stderr=True), transient=True, disable=json) as progress,
        ):
            label = detector.entry.label
            task = progress.add_task(label, total=len(entries))
            scored = list(
                detector.scorer.score(
                    entries,
                    on_progress=partial(_tick, progress, task),
                    on_failed=lambda item, error: skipped.add(item.key, error),
                )
            )
            label = label if label not in judged else f"{label} ({file})"
            judged[label] = Judged(scored, detector.calibration)
            sums[label] = detector.entry.sha256
        facts = {**about, "model": label, "sha256": sums[label], "delivery": "", "left_out": skipped.count}
        found = tabulate(scored, detector.calibration)
        write_card(out / f"{file}.html", found, scored, detector.calibration, facts)
    gathered = ""
    if hard is not None:
        label, first = next(iter(judged.items()))
        gathered = _told(gather(first.scored, first.calibration, hard), label, hard)
    found_all = compare(judged)
    facts = {**about, "detectors": sums, "left_out": skipped.count}
    write_comparison(out / "score.html", found_all, entries, facts)
    if json:
        print(comparison_json(found_all, facts))
    else:
        _show(found_all)
        print(f"{out / 'score.html'} shows them side by side.")
        if gathered:
            print(gathered)
        if skipped.count:
            print(skipped)
    raise typer.Exit(skipped.exit_code)


def _told(found: Hard, label: str, folder: Path) -> str:
    return (
        f"{found.pairs} hard pairs of {label} in {folder}: {found.missed} forgeries not called fake, "
        f"{found.alarms} beside a real that was. To learn from them: touchstone train detector --add "
        f"{folder} --start RUN --data TWINS --to MODELS --out NEW_RUN"
    )


def _tick(progress: Progress, task: TaskID, done: int) -> None:
    progress.update(task, completed=done)


def _files(names: Sequence[str]) -> dict[str, str]:
    """Each detector once, with a name for its files that no other has, nor the page of all."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        slug = _slug(name)
        taken = {"score", *found.values()}
        ways = (slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 3)))
        found[name] = next(way for way in ways if way not in taken)
    return found


def _slug(name: str) -> str:
    """A file's name for a detector's."""
    return (
        re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem if name.endswith((".onnx", ".toml")) else name)
        or "default"
    )


def _show(found: Comparison) -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    for facet, title in (("family", "families"), ("delivery", "deliveries"), ("attack", "attacks")):
        lines = found.of(facet)  # type: ignore[arg-type]
        if lines:
            console.print(_table(f"By {title}, the worst first", found, (*lines, found.pooled)))


def _table(title: str, found: Comparison, lines: Sequence[Line]) -> Table:
    table = Table(title=title)
    table.add_column("")
    for heading in ("real", "fake", *found.detectors):
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(
            line.name,
            str(line.reals),
            str(line.fakes),
            *(
                f"{standing.auc:.3f}, caught {standing.caught:.0%}, alarms {standing.alarms:.1%}"
                for standing in line.standings
            ),
        )
    return table
