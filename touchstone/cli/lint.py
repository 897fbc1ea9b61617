"""`touchstone lint DATASET`: can real and fake be told apart without looking at the forgery?"""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from touchstone.cli.guard import SOME_FAILED
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from detector.lint import LintReport


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(lint)


def lint(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder, a manifest.jsonl or a CSV.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    limit: Annotated[float, typer.Option(min=0.5, max=1.0, help="The AUC above which a probe fails.")] = 0.55,
    json: Annotated[bool, typer.Option("--json", help="The findings as one JSON object.")] = False,
) -> None:
    """Find the shortcuts in a labelled data set: format, size, content, names, doubles.

    A set that fails teaches a detector the shortcut, and flatters one that learned it. Exit code 1 when
    it fails, or when pictures could not be read; those are named and left out.

    Example: `touchstone lint my-benchmark/`
    """
    from detector.lint import lint as probe
    from detector.readers import read

    entries = read(dataset, split=split)
    skipped = Skipped()
    with Progress(console=Console(stderr=True), transient=True, disable=json) as progress:
        task = progress.add_task("pictures", total=len(entries))
        report = probe(
            entries,
            limit=limit,
            on_progress=lambda done: progress.update(task, completed=done),
            on_failed=lambda item, error: skipped.add(item.key, error),
        )
    if json:
        print(json_module.dumps({**report.to_dict(), "left_out": skipped.count}, indent=2))
    else:
        _show(report, limit)
        if skipped.count:
            print(skipped)
    raise typer.Exit(skipped.exit_code if report.passed else SOME_FAILED)


def _show(report: LintReport, limit: float) -> None:
    console = Console()
    table = Table(title=f"{report.reals} real, {report.fakes} fake; a probe passes up to AUC {limit:.2f}")
    for heading in ("probe", "AUC", "95 % interval", "", "what to do"):
        table.add_column(heading)
    for probe in report.probes:
        word = "passed" if probe.passed else "advice" if probe.advisory else "LEAK"
        low, high = probe.interval
        table.add_row(probe.name, f"{probe.auc:.3f}", f"{low:.3f}-{high:.3f}", word, probe.advice)
    console.print(table)
    for name, found in (
        ("files with the same bytes in two splits", report.duplicates_across_splits),
        ("groups in two splits", report.groups_across_splits),
        ("files with the same bytes under both labels", report.duplicates_across_labels),
    ):
        if found:
            console.print(f"{len(found)} {name}, such as {found[0]}", markup=False)
    console.print(
        "Passed." if report.passed else "Failed: do not train or judge a detector on this set as it is."
    )
