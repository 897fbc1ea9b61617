"""`touchstone evaluate DATASET`: how good a detector is on a labelled collection, worst generator first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from detector.corrupt import Step
    from detector.evaluate import Evaluation, Row
    from detector.robustness import Robustness
    from detector.scoring import Scored


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(evaluate)


def evaluate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder, a manifest.jsonl or a CSV.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    reals: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real pictures that lie elsewhere, for a folder of fakes alone."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME|FILE.onnx", help="Another detector.")] = None,
    jpeg: Annotated[
        int | None, typer.Option(min=1, max=100, help="Deliver every picture at this JPEG quality first.")
    ] = None,
    resize: Annotated[
        float | None,
        typer.Option(min=0.05, max=4.0, help="Deliver every picture resized by this factor first."),
    ] = None,
    by: Annotated[
        Literal["family", "generator", "source"], typer.Option(help="What a row of the table is.")
    ] = "family",
    json: Annotated[bool, typer.Option("--json", help="The tables as one JSON object.")] = False,
    grid: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, metavar="SHARE", help="Also the robustness grid, on this share of the data."
        ),
    ] = 0.0,
    cells: Annotated[
        str, typer.Option(metavar="PATTERN", help="Of the grid, only cells named so: 'JPEG*', 'as *'.")
    ] = "*",
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.jsonl", help="Keep each score here, and go on where an earlier run stopped."
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="The card: tables and curves in one page, JSON beside it."),
    ] = None,
) -> None:
    """Score real and fake pictures and videos along the path that `scan` runs, and tabulate.

    Reads the layouts of the field as they are, by name (docs/evaluating.md lists them), our forge's
    manifests, CSV, Parquet and WebDataset. Exit code 1 when files could not be read or have no label;
    those are named and left out. Example: `touchstone evaluate GenImage/val --jpeg 75`
    """
    from detector.evaluate import tabulate
    from detector.readers import read
    from detector.robustness import HARMLESS, Chain, cells_named, chosen, measure
    from touchstone.cli.measuring import opened_detector
    from touchstone.report.card import card_json, write_card
    from worker.settings import load_settings

    settings = load_settings(model=model)
    given = (("resize", resize), ("JPEG", jpeg))
    wanted = cells_named(cells)
    skipped = Skipped()
    entries = read(dataset, split=split, reals=reals, on_unlabelled=lambda error: skipped.add(dataset, error))
    delivered = _delivery(jpeg, resize)
    with (
        opened_detector(settings, resume) as detector,
        Progress(console=Console(stderr=True), transient=True, disable=json) as progress,
    ):
        entry, calibration, scorer = detector.entry, detector.calibration, detector.scorer
        task = progress.add_task("pictures", total=len(entries))
        scored = list(
            scorer.score(
                entries,
                delivered=delivered,
                delivery=str(delivered),
                on_progress=lambda done: progress.update(task, completed=done),
                on_failed=lambda item, error: skipped.add(item.key, error),
            )
        )
        part = chosen([item.entry for item in scored], grid)
        gridded = progress.add_task("grid", total=len(wanted) + len(HARMLESS), visible=bool(part))

        def deliver(name: str, chain: Chain) -> list[Scored]:
            if not chain:
                keys = {item.key for item in part}
                return [item for item in scored if item.entry.key in keys]
            progress.advance(gridded)
            steps = (*delivered, *chain)
            return list(scorer.score(part, delivered=steps, delivery=str(steps)))

        robustness = measure(deliver, calibration, cells=wanted) if part else None
    found = tabulate(scored, calibration, by=lambda item: getattr(item, by) or item.generator)
    about = {
        "dataset": dataset.resolve().name,
        "split": split,
        "model": entry.label,
        "sha256": entry.sha256,
        "delivery": ", ".join(f"{name} {value}" for name, value in given if value is not None),
        "left_out": skipped.count,
    }
    if card is not None:
        write_card(card, found, scored, calibration, about, robustness)
    for remark in found.remarks:
        print(f"touchstone: note: {remark}", file=sys.stderr)
    if json:
        print(card_json(found, about, robustness))
    else:
        _show(found, entry.label)
        if robustness is not None:
            _show_grid(robustness)
        if skipped.count:
            print(skipped)
    raise typer.Exit(skipped.exit_code)


def _delivery(jpeg: int | None, resize: float | None) -> tuple[Step, ...]:
    """What is done to every picture first, in the order a platform does it: resize, then JPEG."""
    from detector.corrupt import Step

    steps = []
    if resize is not None:
        steps.append(Step("resize", {"factor": resize, "kernel": "area" if resize < 1 else "bicubic"}))
    if jpeg is not None:
        steps.append(Step("jpeg", {"quality": jpeg}))
    return tuple(steps)


def _show(found: Evaluation, label: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)  # a table in a file is not squeezed
    table = Table(title=f"{label}: fakes by row, the worst first")
    for heading in (
        "",
        "real",
        "fake",
        "AUC",
        "95 % interval",
        "AP",
        "EER",
        "TPR at 1 %",
        "at 0.1 %",
        "real ok",
        "fake ok",
        "ECE",
        "error at 90 %",
    ):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=bool(heading))
    for row in (*found.rows, found.pooled):
        table.add_row(*_cells(row), end_section=row is found.rows[-1])
    console.print(table)
    console.print(
        f"Mean AUC over rows {found.mean_auc:.4f}, worst {found.rows[0].auc:.4f} ({found.rows[0].name})."
    )
    _show_pixels(console, found)
    if found.naming is not None:
        made = found.naming
        console.print(
            f"The likeliest family is the true one for {made.top_1:.2%} of {made.known} forgeries by known "
            f"families; AUROC against {made.unknown} by others {made.unknown_auroc:.4f}. A report names "
            f"{made.named:.2%} of all, {made.right_of_named:.2%} of them rightly."
        )
    alarms = Table(title="Reals called fake, by source")
    for heading in ("source", "real", "false alarms", "rate", "95 % interval"):
        alarms.add_column(heading, justify="right" if heading != "source" else "left")
    for source in found.sources:
        low, high = source.interval
        alarms.add_row(
            source.source,
            str(source.reals),
            str(source.false_alarms),
            f"{source.false_alarm_rate:.2%}",
            f"{low:.2%}-{high:.2%}",
        )
    console.print(alarms)


def _show_grid(found: Robustness) -> None:
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table(title=f"Delivered otherwise, the worst first: {found.pictures} pictures")
    for heading in ("", "AUC", "95 % interval", "TPR at 1 %", "ECE", "flips"):
        table.add_column(heading, justify="right" if heading else "left")
    for cell in found.cells:
        if cell.note:
            continue
        low, high = cell.auc_interval
        table.add_row(
            cell.name,
            f"{cell.auc:.4f}",
            f"{low:.4f}-{high:.4f}",
            f"{cell.tpr_at_1_percent:.2%}",
            f"{cell.calibration_error:.3f}",
            f"{cell.flips:.2%}",
        )
    console.print(table)
    for cell in found.cells:
        if cell.note:
            console.print(f"Not measured: {cell.name}, since {cell.note}.", markup=False)
    console.print(
        f"{found.flipped:.2%} of the verdicts turn under {len(found.harmless)} harmless re-encodings."
    )


def _show_pixels(console: Console, found: Evaluation) -> None:
    """What the maps say of the masks, and the videos of which frames were scored, where there are any."""
    for row in (*found.rows, found.pooled):
        if row.pixels is not None:
            (low, high), pixels = row.pixels.auc_interval, row.pixels
            console.print(
                f"{row.name}: pixel AUC {pixels.auc:.4f} ({low:.4f}-{high:.4f}), F1 {pixels.f1:.4f} "
                f"over {pixels.pictures} masks.",
                markup=False,
            )
        if row.video_auc is not None:
            console.print(f"{row.name}: AUC over videos {row.video_auc:.4f}.", markup=False)
    if found.marked_reals is not None:
        console.print(f"More than 1 % is marked as forged on {found.marked_reals:.2%} of the reals.")


def _cells(row: Row) -> list[str]:
    low, high = row.auc_interval
    return [
        row.name,
        str(row.reals),
        str(row.fakes),
        f"{row.auc:.4f}",
        f"{low:.4f}-{high:.4f}",
        f"{row.average_precision:.4f}",
        f"{row.equal_error_rate:.2%}",
        f"{row.tpr_at_1_percent:.2%}",
        f"{row.tpr_at_01_percent:.2%}",
        f"{row.real_accuracy:.2%}",
        f"{row.fake_accuracy:.2%}",
        f"{row.calibration_error:.3f}",
        f"{row.error_at_90_percent:.2%}",
    ]
