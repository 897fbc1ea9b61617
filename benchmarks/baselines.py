"""Baselines beside our detector, on the same twins: `python -m benchmarks.baselines --minutes 5`.

Each detector of `detector/baselines.py` is trained for so many minutes by our loop, written as the ONNX file
of a third party with its TOML (these are not shipped), given thresholds on the split "cal" as ours has, and
measured on "test" along the path that `touchstone scan` runs. Ours and the short-cut classifiers of
`touchstone lint` stand beside them. What is done is kept: the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from detector.baselines import BASELINES, load_baseline, training_of
from detector.calibrate import Sample, calibrate
from detector.corrupt import Step
from detector.evaluate import tabulate
from detector.lint import lint
from detector.readers import Entry, read
from detector.robustness import chosen
from detector.scoring import Scored, Scorer
from detector.thresholds import Calibration
from detector.train import WEIGHTS, train_detector
from evidence.errors import DataError, TouchstoneError
from exports.registry import ModelEntry
from exports.runtime import open_detector
from exports.to_onnx import Identity, export_detector
from generators.systems.reconstruction import HELD_OUT_FAMILIES
from generators.training.checkpoint import CHECKPOINT, RECORD, write_text
from worker.scan import judge_picture
from worker.scanner import calibration_of, find_detector
from worker.settings import load_settings

VERSION = "0.1.0"
_HEADINGS = (
    *("", "delivery", "AUC", "95 % interval", "mean", "worst family", "TPR at 1 %", "real ok", "fake ok"),
)
DELIVERIES: dict[str, tuple[Step, ...]] = {
    "as delivered": (),
    "JPEG 75": (Step("jpeg", {"quality": 75}),),
    "resized to 0.5": (Step("resize", {"factor": 0.5, "kernel": "area"}),),
}


@dataclass(frozen=True)
class Line:
    """One detector under one delivery; `worst` is the AUC of its worst family and that family's name."""

    detector: str
    delivery: str
    pictures: int
    auc: float
    auc_interval: tuple[float, float]
    mean_auc: float
    worst: tuple[float, str]
    tpr_at_1_percent: float
    real_accuracy: float
    fake_accuracy: float


def main(arguments: list[str] | None = None) -> int:
    """Train, export and measure what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds twins/")
    parser.add_argument("--out", type=Path, default=Path("runs/baselines"))
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, for each")
    parser.add_argument("--share", type=float, default=1.0, help="of the groups of the test twins")
    parser.add_argument("--only", nargs="*", choices=list(BASELINES), default=list(BASELINES))
    parser.add_argument("--train-only", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    try:
        models = [_made(name, options) for name in options.only]
        if not options.train_only:
            _measure(models, options)
    except TouchstoneError as error:
        Console(stderr=True).print(f"{error}", markup=False)
        return 1
    return 0


def _made(name: str, options: argparse.Namespace) -> ModelEntry:
    """The baseline as an ONNX file with its TOML, trained and calibrated if it is not there."""
    folder, twins = options.out / name, options.runs / "twins"
    beside = options.out / f"{name}.toml"
    if beside.is_file():
        return ModelEntry.from_toml(beside)
    if not (folder / RECORD).is_file():
        record = train_detector(
            twins,
            folder,
            config=training_of(name, left_out=HELD_OUT_FAMILIES),
            budget_minutes=options.minutes,
            resume=(folder / CHECKPOINT).is_file(),
            workers=0,
        )
        _say(f"{name}: {record.crops_seen} crops in {record.seconds:.0f} s, AUC of crops {record.auc:.4f}")
    identity = Identity(f"baseline-{name}", VERSION, task="A baseline rebuilt from a published idea.")
    net = load_baseline(folder / WEIGHTS)
    export_detector(net, options.out / f"{name}.onnx", identity, len(net.config.families))
    write_text(beside, toml_of(name))
    entry = ModelEntry.from_toml(beside)
    calibration = _calibrated(entry, read(twins, split="cal"))
    write_text(beside, toml_of(name, calibration))
    return ModelEntry.from_toml(beside)


def toml_of(name: str, calibration: Calibration | None = None) -> str:
    """What stands beside a baseline's file, as docs/add-a-detector.md has it."""
    lines = [f'name = "baseline-{name}"', f'version = "{VERSION}"', 'licence = "Apache-2.0"', ""]
    lines += ["[input]", 'name = "pixels"', 'layout = "NHWC"', "scale = 1.0", ""]
    lines += ["[output]", 'name = "logit"', 'values = "logit"']
    if calibration is not None:
        plain = {
            key: value for key, value in calibration.to_dict().items() if isinstance(value, (int, float, str))
        }
        lines += ["", "[calibration]", *(f"{key} = {json.dumps(value)}" for key, value in plain.items())]
    return "\n".join(lines) + "\n"


def _calibrated(entry: ModelEntry, entries: list[Entry]) -> Calibration | None:
    """Its reading at 1 % false alarms on these pictures; None when it ranks them no better than chance."""
    scored = list(_scores(entry, Calibration(), entries, (), f"{entry.name}: calibrating"))
    try:
        return calibrate(
            Sample(
                [item.logit for item in scored],
                [float(item.entry.label == "fake") for item in scored],
                [item.short_side or 0 for item in scored],
                [item.quality for item in scored],
            ),
            measured_on=f"{len(scored)} twins of the split cal",
        )
    except DataError as error:
        _say(f"{entry.name} gets no thresholds. {error}")
        return None


def _scores(
    entry: ModelEntry, calibration: Calibration, entries: list[Entry], chain: tuple[Step, ...], what: str
) -> Iterable[Scored]:
    settings = load_settings()
    session = open_detector(entry, threads=1)
    scorer = Scorer(
        lambda pixels: judge_picture(
            pixels, session.run, tiles=settings.tiles_per_image, part_margin=calibration.part_margin
        ),
        calibration,
    )
    pictures = track(entries, description=what, console=Console(stderr=True), transient=True)
    return scorer.score(pictures, delivered=chain)


def _measure(models: list[ModelEntry], options: argparse.Namespace) -> None:
    """Every detector on the test twins under every delivery, beside the short-cut classifiers."""
    entries = chosen(read(options.runs / "twins", split="test"), options.share)
    lines = []
    for entry in (find_detector(load_settings()), *models):
        calibration = calibration_of(entry)
        for name, chain in DELIVERIES.items():
            scored = list(_scores(entry, calibration, entries, chain, f"{entry.name}: {name}"))
            found = tabulate(scored, calibration, draws=200)
            lines.append(
                Line(
                    detector=entry.name,
                    delivery=name,
                    pictures=len(scored),
                    auc=found.pooled.auc,
                    auc_interval=found.pooled.auc_interval,
                    mean_auc=found.mean_auc,
                    worst=(found.rows[0].auc, found.rows[0].name),
                    tpr_at_1_percent=found.pooled.tpr_at_1_percent,
                    real_accuracy=found.pooled.real_accuracy,
                    fake_accuracy=found.pooled.fake_accuracy,
                )
            )
    probes = [asdict(probe) for probe in lint(entries).probes]
    whole: dict[str, Any] = {"minutes": options.minutes, "share": options.share}
    whole |= {"lines": [asdict(line) for line in lines], "short_cuts": probes}
    write_text(options.out / "baselines.json", json.dumps(whole, indent=2) + "\n")
    _show(lines, probes)


def _show(lines: list[Line], probes: list[dict[str, Any]]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title="The same twins, the same path")
    for heading in (
        "",
        "delivery",
        "AUC",
        "95 % interval",
        "mean",
        "worst family",
        "TPR at 1 %",
        "real ok",
        "fake ok",
    ):
        table.add_column(heading)
    for line in lines:
        low, high = line.auc_interval
        table.add_row(
            line.detector,
            line.delivery,
            f"{line.auc:.4f}",
            f"{low:.4f}-{high:.4f}",
            f"{line.mean_auc:.4f}",
            f"{line.worst[0]:.4f} {line.worst[1]}",
            f"{line.tpr_at_1_percent:.2%}",
            f"{line.real_accuracy:.2%}",
            f"{line.fake_accuracy:.2%}",
        )
    console.print(table)
    for probe in probes:
        console.print(f"short cut {probe['name']}: AUC {probe['auc']:.4f}", markup=False)


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
