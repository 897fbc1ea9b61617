"""The release, from data to shipped models: `make train` or `python -m benchmarks.release`.

Seven steps, each skipped when its result is there and resumed when it was interrupted: train the decoders
of the reconstruction family, forge the aligned twins, train the detector, train it on with its readout,
train every GAN of the suite, calibrate and measure the detector along the path that `touchstone scan` runs
and publish it, publish the generators, each with its card.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import forge_twins, train_family
from benchmarks.measure import LIMITS, Measured, measure
from benchmarks.shipped import SHIPPED, Shipped
from detector.model import PRESETS
from detector.pairs import PairConfig
from detector.train import WEIGHTS, TrainConfig, train_detector
from evidence.digest import sha256_file
from evidence.errors import TouchstoneError, UsageError
from exports.command import export_run
from exports.registry import Registry
from generators.forge import MANIFEST
from generators.systems.reconstruction import HELD_OUT_FAMILIES
from generators.training.checkpoint import CHECKPOINT, RECORD
from generators.training.command import run

VERSION = "0.3.0"
DETECTOR = "touchstone-detector"
TRUNK = "the trunk it was begun from"  # under which a card tells how that came to be
TWINS = PairConfig(left_out=HELD_OUT_FAMILIES)
# The readout comes last: it tells apart what the trunk has learned to see.
READOUT = TrainConfig(
    model=replace(PRESETS["default"], hidden=96),
    pairs=replace(TWINS, ramp_crops=0),
    learning_rate=2e-3,
    family_weight=0.2,
    cooldown=0.4,
)
# Decoders that ship for `touchstone generate` and the demo: three operators, three factors.
SHIPPED_DECODERS = ("transposed-k4s2-x2", "haar-x4", "nearest-x8")


def main(arguments: list[str] | None = None) -> int:
    """Run the steps that are missing; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--detector-minutes", type=float, default=40.0)
    parser.add_argument("--readout-minutes", type=float, default=70.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=list(_STEPS), default=list(_STEPS))
    chosen = parser.parse_args(arguments)
    try:
        for name in chosen.only:
            _say(f"{name} ...")
            _STEPS[name](chosen)
    except TouchstoneError as error:
        _say(f"{error}")
        return 1
    return 0


def _family(chosen: argparse.Namespace) -> None:
    train_family.main(["--out", str(chosen.runs / "family"), "--seed", str(chosen.seed)])


def _twins(chosen: argparse.Namespace) -> None:
    where = ["--family", str(chosen.runs / "family"), "--out", str(chosen.runs / "twins")]
    forge_twins.main([*where, "--seed", str(chosen.seed)])


def _train(chosen: argparse.Namespace) -> None:
    _trained(chosen, "detector", TrainConfig(pairs=TWINS), chosen.detector_minutes)


def _readout(chosen: argparse.Namespace) -> None:
    start: Path = chosen.runs / "detector"
    if not (start / RECORD).is_file():
        _train(chosen)
    _trained(chosen, "readout", READOUT, chosen.readout_minutes, start)


def _trained(
    chosen: argparse.Namespace, folder: str, config: TrainConfig, minutes: float, start: Path | None = None
) -> None:
    """Train in a folder of the runs, or go on there, unless it is done."""
    out = chosen.runs / folder
    if (out / WEIGHTS).is_file() and (out / RECORD).is_file():
        _say(f"{out} holds a trained detector; train another with --runs and another folder.")
        return
    twins: Path = chosen.runs / "twins"
    if not (twins / MANIFEST).is_file():
        _twins(chosen)
    record = train_detector(
        twins,
        out,
        config=config,
        budget_minutes=minutes,
        seed=chosen.seed,
        resume=(out / CHECKPOINT).is_file(),
        start=start,
    )
    _say(f"{record.crops_seen} crops in {record.seconds:.0f} s, AUC of crops {record.auc:.4f}")


def _gans(chosen: argparse.Namespace) -> None:
    for row in SHIPPED:
        out = chosen.runs / row.folder
        if (out / RECORD).is_file():
            _say(f"{out} holds a trained {row.system}.")
            continue
        resume = (out / CHECKPOINT).is_file()
        run(row.system, out=out, seed=chosen.seed, resume=resume, overrides=row.overrides)


def _publish_detector(chosen: argparse.Namespace) -> None:
    """Measure the exported file in a scratch folder, then publish it with what was found.

    What was measured stands in release.json and is taken again while file and twins are the same.
    """
    folder, twins, kept = chosen.runs / "readout", chosen.runs / "twins", chosen.runs / "release.json"
    with tempfile.TemporaryDirectory() as scratch:
        entry = export_run(folder, DETECTOR, VERSION, models=Registry([Path(scratch)]))
        found = Measured(**json.loads(kept.read_text("utf-8"))) if kept.is_file() else None
        same = (entry.sha256, sha256_file(twins / MANIFEST))
        if found is None or (found.detector_sha256, found.manifest_sha256) != same:
            found = measure(entry, twins)
            kept.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    entry = export_run(folder, DETECTOR, VERSION, default=True, facts=_facts(found, chosen.runs / "detector"))
    _say(f"{entry.label} is published; its card is {entry.card}.")


def _publish_generators(chosen: argparse.Namespace) -> None:
    decoders = (
        Shipped(f"reconstruction-{name}", "reconstruction", run=f"family/{name}") for name in SHIPPED_DECODERS
    )
    for row in (*decoders, *SHIPPED):
        folder = chosen.runs / row.folder
        if not (folder / RECORD).is_file():
            _say(f"{folder} holds no finished run; {row.name} is not published.")
            continue
        try:
            entry = export_run(folder, row.name, row.version, part=row.part, half=row.half)
            _say(f"{entry.label} is published.")
        except UsageError as error:  # below its floor: it is said, and the others go on
            _say(f"{row.name} is not published. {error}")


_STEPS: dict[str, Callable[[argparse.Namespace], None]] = {
    "family": _family,
    "twins": _twins,
    "train": _train,
    "readout": _readout,
    "gans": _gans,
    "detector": _publish_detector,
    "generators": _publish_generators,
}


def _facts(found: Measured, trunk: Path) -> dict[str, Any]:
    """What the card and `models.json` say besides what the training run knows."""
    begun = json.loads((trunk / RECORD).read_text("utf-8"))
    told = ("command", "crops_seen", "seconds", "hardware", "commit")
    return {
        "calibration": found.calibration,
        "metrics": {TRUNK: {key: begun[key] for key in told}, **found.metrics},
        "data": found.data,
        "splits": found.splits,
        "rows": found.rows,
        "false_alarms": found.false_alarms,
        "limits": LIMITS,
    }


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
