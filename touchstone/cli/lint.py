"""`touchstone lint DATASET`: can real and fake be told apart without looking at the forgery?"""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from touchstone.cli.guard import NOTHING_DONE, SOME_FAILED
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
    card: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The findings as one page as well.")
    ] = None,
) -> None:
    """Find the shortcuts in a labelled data set: format, size, content, names, doubles, reversed labels.

    A set that fails teaches a detector the shortcut, and flatters one that learned it. Exit code 1 when
    it fails, or when pictures could not be read; those are named and left out. 3 when there are too few
    pictures to tell.

    Example: `touchstone lint my-benchmark/`
    """
    from detector.lint import lint as probe
    from detector.readers import read
    from provenance.look_alikes import LookAlikes
    from touchstone.report.card import write_lint

    skipped = Skipped()
    entries = read(dataset, split=split, on_unlabelled=lambda error: skipped.add(dataset, error))
    with Progress(console=Console(stderr=True), transient=True, disable=json) as progress:
        task = progress.add_task("pictures", total=len(entries))
        report = probe(
            entries,
            limit=limit,
            look_alikes=LookAlikes(),
            on_progress=lambda done: progress.update(task, completed=done),
            on_failed=lambda item, error: skipped.add(item.key, error),
        )
    if card is not None:
        write_lint(card, report, limit=limit, dataset=dataset.resolve().name)
    if json:
        print(json_module.dumps({**report.to_dict(), "left_out": skipped.count}, indent=2))
    else:
        _show(report, limit)
        if skipped.count:
            print(skipped)
    codes = {"passed": skipped.exit_code, "failed": SOME_FAILED, "too few to tell": NOTHING_DONE}
    raise typer.Exit(codes[report.verdict])


def _show(report: LintReport, limit: float) -> None:
    from touchstone.report.card import DOUBLES

    console = Console()
    table = Table(title=f"{report.reals} real, {report.fakes} fake; a probe passes up to AUC {limit:.2f}")
    for heading in ("probe", "AUC", "95 % interval", "", "what to do"):
        table.add_column(heading)
    for probe in report.probes:
        leak = "advice" if probe.advisory else "LEAK"
        word = leak if probe.leaks else "passed" if probe.passed else "too few to tell"
        low, high = probe.interval
        table.add_row(probe.name, f"{probe.auc:.3f}", f"{low:.3f}-{high:.3f}", word, probe.advice)
    console.print(table)
    for part, name, mend in DOUBLES:
        found = getattr(report, part)
        if found:
            console.print(f"{name}: {len(found)}, such as {found[0]}. {mend}", markup=False)
    ends = {
        "passed": "Passed.",
        "failed": "Failed: do not train or judge a detector on this set as it is.",
        "too few to tell": "Too few to tell: no leak was found, and the intervals leave room for one.",
    }
    console.print(ends[report.verdict])
