"""`touchstone evaluate DATASET`: how good a detector is on a labelled collection, worst generator first."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from touchstone.cli.extras import train_extra
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.corrupt import Step
    from detector.evaluate import Evaluation, Row


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(evaluate)


def evaluate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder, a manifest.jsonl or a CSV.")],
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
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
    plots: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="ROC and reliability curves; needs matplotlib.")
    ] = None,
) -> None:
    """Score real and fake pictures along the path that `scan` runs, and tabulate.

    Reads our forge's manifests, CSVs with path and label, and the folder layouts of the field
    (0_real/1_fake, nature/ai, real/fake). Exit code 1 when pictures could not be read; those
    are named and left out. Example: `touchstone evaluate GenImage/val --jpeg 75`
    """
    from detector.evaluate import score_entries, tabulate
    from detector.readers import read
    from exports.runtime import open_detector
    from worker.scan import picture_logit
    from worker.scanner import calibration_of, find_detector
    from worker.settings import load_settings

    settings = load_settings(model=model)
    entries = read(dataset, split=split)
    entry = find_detector(settings)
    calibration = calibration_of(entry)
    session = open_detector(entry, settings.device, settings.threads)
    skipped = Skipped()
    with Progress(console=Console(stderr=True), transient=True, disable=json) as progress:
        task = progress.add_task("pictures", total=len(entries))
        scored = score_entries(
            entries,
            lambda pixels: picture_logit(
                pixels, session.run, tiles=settings.tiles_per_image, part_margin=calibration.part_margin
            ),
            delivered=_delivery(jpeg, resize),
            on_progress=lambda done: progress.update(task, completed=done),
            on_failed=lambda item, error: skipped.add(item.key, error),
        )
    found = tabulate(scored, calibration, by=lambda item: getattr(item, by) or item.generator)
    if plots is not None:
        with train_extra("evaluate --plots"):
            from touchstone.report.plots import draw_curves

        draw_curves(scored, calibration, plots)
    if json:
        origin = {"model": entry.label, "sha256": entry.sha256, "left_out": skipped.count}
        print(json_module.dumps({**origin, **found.to_dict()}, indent=2))
    else:
        _show(found, entry.label)
        if skipped.count:
            print(skipped)
    raise typer.Exit(skipped.exit_code)


def _delivery(jpeg: int | None, resize: float | None) -> Sequence[Step]:
    """What is done to every picture first, in the order a platform does it: resize, then JPEG."""
    from detector.corrupt import Step

    steps = []
    if resize is not None:
        steps.append(Step("resize", {"factor": resize, "kernel": "area" if resize < 1 else "bicubic"}))
    if jpeg is not None:
        steps.append(Step("jpeg", {"quality": jpeg}))
    return steps


def _show(found: Evaluation, label: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)  # a table in a file is not squeezed
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
        "real ok",
        "fake ok",
    ):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=bool(heading))
    for row in (*found.rows, found.pooled):
        table.add_row(*_cells(row), end_section=row is found.rows[-1])
    console.print(table)
    console.print(
        f"Mean AUC over rows {found.mean_auc:.4f}, worst {found.rows[0].auc:.4f} ({found.rows[0].name})."
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
        f"{row.real_accuracy:.2%}",
        f"{row.fake_accuracy:.2%}",
    ]
