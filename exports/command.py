"""From the folder of a training run to a published model, and from that to its form in integers.

One path for GANs and detectors: restore the network, write it as ONNX, compare the two, publish.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from detector.model import load
from detector.readers import read
from detector.thresholds import Calibration
from detector.tiles import SIZE, cut, plan
from detector.train import WEIGHTS
from evidence.errors import DataError, ParityError, UsageError
from evidence.image import decode_image
from exports.bundle import publish
from exports.parity import check_detector, check_generator
from exports.quantize import Gate, Quantised, Tiles, quantise
from exports.registry import Kind, ModelEntry, Registry
from exports.to_onnx import Identity, Interface, export_detector, export_generator
from generators.catalogue import restore
from generators.training.checkpoint import RECORD
from generators.verdict import VERDICT

MOST_TILES = 512
DETECTOR_TASK = "Tells pictures that a generator made or rebuilt from photographs, and shows where."
DETECTOR_INPUT = "none outside the graph: RGB uint8 at native size, sides multiples of 8, 64 at least"
GENERATOR_INPUT = "latents by their `law`; pictures RGB in [-1, 1], sides multiples of 16"
GENERATOR_LIMITS = (
    "Trained on a small budget: its pictures need not fool a person.",
    "Its traces are those of its own upsampler and normalisation; other generators leave others.",
)


def export_run(
    run_folder: Path,
    name: str,
    version: str,
    *,
    licence: str = "Apache-2.0",
    default: bool = False,
    facts: Mapping[str, Any] | None = None,
    models: Registry | None = None,
) -> ModelEntry:
    """Publish what a run folder of `touchstone train` holds, once its file agrees with its network.

    `facts` adds to the record what the run cannot know: calibration, limits, tables of the card, more
    metrics. Raises `ParityError`, `ModelError`, `UsageError`, `OutputError`.
    """
    run = _run_record(run_folder)
    identity = Identity(name, version, licence, command=run["command"])
    is_detector = (run_folder / WEIGHTS).is_file()
    kind: Kind = "detector" if is_detector else "generator"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.onnx"
        freeze = _freeze_detector if is_detector else _freeze_generator
        record = freeze(run_folder, path, identity, run)
        given = dict(facts or {})
        record["metrics"] = {**given.pop("metrics", {}), **record["metrics"]}
        record |= {"licence": licence, "training": _training(run), **given}
        return publish(name, path, record, version=version, kind=kind, default=default, models=models)


def export_quantised(
    entry: ModelEntry,
    *,
    calibration: Tiles,
    tiles: Tiles,
    labels: ArrayLike,
    gate: Gate | None = None,
    default: bool = False,
    models: Registry | None = None,
) -> tuple[ModelEntry | None, Quantised]:
    """Publish `NAME-int8` beside a published detector if it passes the gate; None when it does not.

    Arguments as in `exports.quantize.quantise`. It reads its logits by the float model's calibration.
    """
    name = f"{entry.name}-int8"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.onnx"
        found = quantise(entry.path, path, calibration=calibration, tiles=tiles, labels=labels, gate=gate)
        if not found.accepted:
            return None, found
        record = {**entry.to_dict(), "tags": {**entry.tags, "precision": "int8"}}
        record["metrics"] = {"quantised": found.to_dict()}
        published = publish(
            name, path, record, version=entry.version, kind="detector", default=default, models=models
        )
    return published, found


def export_int8(
    entry: ModelEntry, dataset: Path, *, default: bool = False, models: Registry | None = None
) -> ModelEntry:
    """Publish `NAME-int8` of a detector; half the groups of a labelled `dataset` set the ranges, half judge.

    A tile is taken of each picture of 256 px at least, of `MOST_TILES` pictures at most. Raises DataError
    when both classes are not in both halves, ParityError when the integer form does not answer alike.
    """
    if entry.kind != "detector":
        raise UsageError(f"{entry.label} is a {entry.kind}.", "The integer form is for detectors.")
    entries = read(dataset)
    half = {group: index % 2 for index, group in enumerate(sorted({item.group for item in entries}))}
    tiles: tuple[list[Tiles], list[Tiles]] = ([], [])
    labels: tuple[list[float], list[float]] = ([], [])
    for item in entries[:: -(-len(entries) // MOST_TILES)]:
        _, pixels = decode_image(item.path)
        if min(pixels.shape[:2]) >= SIZE:
            tiles[half[item.group]].append(cut(pixels, plan(*pixels.shape[:2], max_tiles=1))[0])
            labels[half[item.group]].append(float(item.label == "fake"))
    if any(set(own) != {0.0, 1.0} for own in labels):
        raise DataError(
            f"{dataset} has too few pictures of {SIZE} px or more to set ranges and to judge them.",
            "Give one with several groups of real and of fake pictures.",
        )
    reading = Calibration.from_dict(dict(entry.calibration or {}))
    odds = np.log(reading.fake_at) - np.log1p(-min(reading.fake_at, 1 - 1e-9))
    gate = Gate(threshold=float((odds - reading.bias) * reading.temperature))
    published, found = export_quantised(
        entry,
        calibration=np.stack(tiles[0]),
        tiles=np.stack(tiles[1]),
        labels=labels[1],
        gate=gate,
        default=default,
        models=models,
    )
    if published is None:
        raise ParityError(
            f"{entry.label} answers otherwise in integers: {', '.join(found.refused)}.",
            "Nothing was published; use the float model.",
        )
    return published


def _freeze_detector(folder: Path, path: Path, identity: Identity, run: Mapping[str, Any]) -> dict[str, Any]:
    net = load(folder / WEIGHTS)
    words = replace(identity, task=DETECTOR_TASK, preprocessing=DETECTOR_INPUT)
    interface = export_detector(net, path, words)
    measured = {key: run[key] for key in ("auc", "auc_degraded", "parameters") if key in run}
    return {
        "task": DETECTOR_TASK,
        "tags": {"precision": "fp32"},
        "metrics": {**measured, "parity": check_detector(net, path).to_dict()},
        **_described(interface),
    }


def _freeze_generator(folder: Path, path: Path, identity: Identity, run: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_below_floor(folder)
    model = restore(folder)
    task = model.task
    words = replace(identity, task=task, preprocessing=GENERATOR_INPUT)
    interface = export_generator(model, path, words)
    described = _described(interface)
    for item in described["inputs"] if task == "noise" else ():
        item["law"] = getattr(model.config, "latent_law", "normal")
    measured = {key: run[key] for key in ("diversity", "losses", "parameters") if key in run}
    return {
        "task": task,
        "tags": {"system": model.name, "precision": "fp32", **model.tags},
        "metrics": {**measured, "parity": check_generator(model, path).to_dict()},
        "paper": model.paper,
        "limits": GENERATOR_LIMITS,
        **described,
    }


def _refuse_below_floor(folder: Path) -> None:
    verdict = folder / VERDICT
    missed = json.loads(verdict.read_text("utf-8"))["missed"] if verdict.is_file() else ()
    if missed:
        raise UsageError(
            f"The run in {folder} is below its floor: {' '.join(missed)}",
            "It becomes no model. Train it longer, or with other options.",
        )


def _described(interface: Interface) -> dict[str, Any]:
    """The inputs and outputs as `models.json` has them."""
    dtypes = {name: str(value.dtype).removeprefix("torch.") for name, value in interface.example.items()}
    return {
        "inputs": [
            {"name": name, "dtype": dtypes[name], "shape": list(shape)}
            for name, shape in interface.inputs.items()
        ],
        "outputs": [
            {"name": name, "dtype": "float32", "shape": list(shape)}
            for name, shape in interface.outputs.items()
        ],
    }


def _training(run: Mapping[str, Any]) -> dict[str, Any]:
    """How the weights came to be; a detector's crops count as images."""
    seen = run.get("images_seen", run.get("crops_seen"))
    kept = ("command", "config", "seed", "data_sha256", "hardware", "seconds", "torch", "commit")
    return {key: run[key] for key in kept if key in run} | {"images_seen": seen}


def _run_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} is not the folder of a finished run: its {RECORD} cannot be read.",
            "Name the --out of a `touchstone train` that ended, or let it end with --resume.",
        ) from error
    if not isinstance(record, dict) or "command" not in record:
        raise UsageError(f"{folder / RECORD} says of no run how it came to be.", "Train again.")
    return record
