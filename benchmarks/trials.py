"""The trainings of the proof and what their networks read: each is trained, written as ONNX and read once.

A trial's folder holds its run, detector.onnx, and what it read of a split. What is there is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from detector.contenders import CONTENDERS, OURS, folds, load_contender, training_of
from detector.presets import jpeg, resize
from detector.readers import Entry
from detector.train import WEIGHTS, DetectorRecord, train_detector
from exports.calibrating import AS_DELIVERED, Reading, readings
from exports.registry import ModelEntry
from exports.runtime import open_detector
from exports.to_onnx import Identity, export_detector
from generators.systems.reconstruction import HELD_OUT_FAMILIES
from generators.training.checkpoint import CHECKPOINT, RECORD, write_text
from worker.settings import load_settings

VERSION = "0.1.0"
CROPS = 12_000  # that each is trained on: minutes on a core
DELIVERIES = {
    AS_DELIVERED: (),
    "JPEG 75": (jpeg(75),),
    "resized to 0.5": (resize(0.5, "area"),),
}


@dataclass(frozen=True)
class Trial:
    """One training: the contender of `CONTENDERS` that it is, and the families that it never sees."""

    name: str
    contender: str
    left_out: tuple[str, ...] = HELD_OUT_FAMILIES

    def folder(self, runs: Path) -> Path:
        """Where its run lies."""
        return runs / self.name.replace(",", "").replace(" ", "-")


def trials(twins: Sequence[Entry], fold_count: int) -> list[Trial]:
    """Every contender, then ours once for each fold of the families."""
    left_out = folds(twins, fold_count)
    return [
        *(Trial(name, name) for name in CONTENDERS),
        *(Trial(f"fold {number}", OURS, families) for number, families in enumerate(left_out, start=1)),
    ]


def train(trial: Trial, *, twins: Path, runs: Path, crops: int) -> DetectorRecord | None:
    """Train the trial on so many crops, or go on with it; None when that was done before."""
    folder = trial.folder(runs)
    if crops_of(trial, runs):
        return None
    return train_detector(
        twins,
        folder,
        config=training_of(trial.contender, left_out=trial.left_out, crops=crops),
        resume=(folder / CHECKPOINT).is_file(),
        workers=0,
    )


def crops_of(trial: Trial, runs: Path) -> int:
    """On how many crops it was trained, once its training has ended; else 0."""
    record = trial.folder(runs) / RECORD
    if not record.is_file():
        return 0
    found = json.loads(record.read_text(encoding="utf-8"))
    return 0 if found["stopped"] == "interrupted" else int(found["crops_seen"])


def exported(trial: Trial, runs: Path) -> ModelEntry | None:
    """The trained network as one of our own detectors, written when it is not there; None before its end."""
    folder = trial.folder(runs)
    path = folder / "detector.onnx"
    if not crops_of(trial, runs):
        return None
    if not path.is_file():
        net = load_contender(folder / WEIGHTS)
        identity = Identity(f"proof-{folder.name}", VERSION, task="Trained for docs/proof.md, not shipped.")
        export_detector(net, path, identity, len(net.config.families))
    return ModelEntry.from_file(path)


def readings_of(entry: ModelEntry, entries: Sequence[Entry], kept: Path) -> list[Reading]:
    """Every picture under every delivery as a scan reads it; `kept` holds them for the next time."""
    known = {one.key: one for one in entries}
    if kept.is_file():
        held = json.loads(kept.read_text(encoding="utf-8"))
        if held["detector_sha256"] == entry.sha256 and set(held["keys"]) == set(known):
            return [Reading(known[key], *figures) for key, *figures in held["rows"]]
    session = open_detector(entry, threads=1)
    seen = track(entries, kept.stem, console=Console(stderr=True), transient=True)
    found = readings(session, seen, load_settings().tiles_per_image, deliveries=DELIVERIES)
    rows = [(r.entry.key, r.delivery, r.whole, r.part, r.short_side, r.quality) for r in found]
    whole = {"detector_sha256": entry.sha256, "keys": sorted(known), "rows": rows}
    write_text(kept, json.dumps(whole) + "\n")
    return found
