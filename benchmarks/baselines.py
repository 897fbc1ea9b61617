"""The baselines of the proof as detectors of a third party: `python -m benchmarks.baselines`.

Each detector of `detector/baselines.py` is trained as `benchmarks/proof.py` trains it, unless that was done,
and written as an ONNX file with its TOML, thresholds from the split "cal" in it: to be set beside ours by
`touchstone testset score` or attacked. They are not shipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.trials import CROPS, VERSION, Trial, train
from detector.baselines import BASELINES
from detector.calibrate import Sample, calibrate
from detector.contenders import load_contender
from detector.readers import Entry, read
from detector.scoring import Scored, Scorer
from detector.thresholds import Calibration
from detector.train import WEIGHTS
from evidence.errors import DataError, TouchstoneError
from exports.registry import ModelEntry
from exports.runtime import open_detector
from exports.to_onnx import Identity, export_detector
from generators.training.checkpoint import write_text
from worker.scan import judge_picture
from worker.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Train, export and calibrate what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds twins/, and proof/ with runs")
    parser.add_argument("--out", type=Path, default=Path("runs/baselines"))
    parser.add_argument("--crops", type=int, default=CROPS, help="that each is trained on")
    parser.add_argument("--only", nargs="*", choices=list(BASELINES), default=list(BASELINES))
    options = parser.parse_args(arguments)
    try:
        for name in options.only:
            made = _made(Trial(name, name), options)
            _say(f"{made.label} is {made.path}.")
    except TouchstoneError as error:
        _say(f"{error}")
        return 1
    return 0


def _made(trial: Trial, options: argparse.Namespace) -> ModelEntry:
    """The baseline as an ONNX file with its TOML, trained and calibrated if it is not there."""
    twins, runs, name = options.runs / "twins", options.runs / "proof", trial.name
    beside = options.out / f"{name}.toml"
    if not beside.is_file():
        train(trial, twins=twins, runs=runs, crops=options.crops)
        options.out.mkdir(parents=True, exist_ok=True)
        identity = Identity(f"baseline-{name}", VERSION, task="A baseline rebuilt from a published idea.")
        net = load_contender(trial.folder(runs) / WEIGHTS)
        export_detector(net, options.out / f"{name}.onnx", identity, len(net.config.families))
        write_text(beside, toml_of(name))
        write_text(beside, toml_of(name, _calibrated(ModelEntry.from_toml(beside), read(twins, split="cal"))))
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
    scored = list(_scores(entry, entries))
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


def _scores(entry: ModelEntry, entries: list[Entry]) -> Iterable[Scored]:
    settings, reading = load_settings(), Calibration()
    session = open_detector(entry, threads=1)
    scorer = Scorer(
        lambda pixels: judge_picture(
            pixels, session.run, tiles=settings.tiles_per_image, part_margin=reading.part_margin
        ),
        reading,
    )
    return scorer.score(track(entries, entry.name, console=Console(stderr=True), transient=True))


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
