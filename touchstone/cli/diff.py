"""`touchstone models diff`: which media two detectors judge differently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from touchstone.cli.guard import DONE, SOME_FAILED

if TYPE_CHECKING:
    from evidence.verdict import Report
    from touchstone.report.changes import Change

Table = typer.Option(metavar="FILE", help="The verdicts that differ; - is standard output.")


def register(group: typer.Typer) -> None:
    """Add the command to the group of `touchstone models`."""
    group.command()(diff)


def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A detector: name, name@version or file.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The detector it is compared with.")],
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Media, folders or patterns.")],
    csv: Annotated[Path | None, Table] = None,
    jsonl: Annotated[Path | None, Table] = None,
    parquet: Annotated[Path | None, Table] = None,
) -> None:
    """Scan media with two detectors and list the verdicts that differ, those that flip to fake first.

    Nothing is entered in the registry or the log. Of what a service scanned, `touchstone batch rescan` says
    the same without scanning twice. Exit code 1 when media could not be examined.

    Example: `touchstone models diff touchstone-detector@0.1.0 touchstone-detector archive/ --csv -`
    """
    from rich.console import Console
    from rich.progress import Progress

    from touchstone.cli.archive import say
    from touchstone.cli.inputs import expand
    from touchstone.report.changes import between, in_a_line, write_changes
    from touchstone.report.sink import STDOUT
    from worker.scanner import Scanner
    from worker.settings import load_settings

    inputs = expand(paths)
    for item in inputs:
        if item.problem is not None:
            raise item.problem
    media = [item.path for item in inputs]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("media", total=2 * len(media))

        def judged(model: str) -> Iterator[Report]:
            with Scanner(load_settings(model=model)) as scanner:
                for scanned in scanner.scan_all(media):
                    progress.advance(task)
                    yield scanned.report

        pairs = zip(list(judged(before)), judged(after), strict=True)
        found = sorted((between(old, new) for old, new in pairs), key=_gravest)
    line = in_a_line(write_changes(found, csv_file=csv, jsonl=jsonl, parquet=parquet))
    if STDOUT in (csv, jsonl):
        say(line)
    else:
        print(line)
        for change in found if csv is None and jsonl is None and parquet is None else ():
            if change.flipped:
                print(f"{change.before:>9} -> {change.after:<9} {change.path}")
    unable = any(change.before == change.after == "none" for change in found)
    raise typer.Exit(SOME_FAILED if unable else DONE)


def _gravest(change: Change) -> tuple[int, str]:
    """What becomes fake first, then what was fake, then the rest."""
    return (change.after != "fake") + (change.before != "fake" and change.after != "fake"), change.path
