"""From the folder of a training run to a published model, and from that to its form in integers.

One path for GANs and detectors: restore the network, write it as ONNX, compare the two, publish.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from detector.model import load
from detector.readers import read
from detector.scores import FAMILIES
from detector.thresholds import Calibration
from detector.tiles import SIZE, cut, plan
from detector.train import WEIGHTS
from evidence.errors import DataError, ParityError, UsageError
from evidence.image import decode_image
from exports.bundle import MODEL_BYTES, publish
from exports.halve import halve
from exports.parity import EXACT, HALF, check_detector, check_generator
from exports.quantize import Gate, Quantised, Tiles, quantise
from exports.registry import Kind, ModelEntry, Registry
from exports.to_onnx import Identity, Interface, export_detector, export_generator
from generators.catalogue import restore
from generators.contract import AdversarialModel, Input
from generators.training.checkpoint import RECORD
from generators.verdict import VERDICT

MOST_TILES = 512
DETECTOR_TASK = "Tells pictures that a generator made or rebuilt from photographs, and shows where."
DETECTOR_INPUT = "none outside the graph: RGB uint8 at native size, sides multiples of 8, 64 at least"
GENERATOR_INPUT = "latents by their `law`; pictures RGB in [-1, 1], sides multiples of 16"
RANGED = ("units", "yaw", "truncation")  # the roles whose values run from `low` to `high`
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
    part: str = "",
    half: bool = False,
    trusted: str = "",
) -> ModelEntry:
    """Publish what a run folder of `touchstone train` holds, once its file agrees with its network.

    `facts` adds to the record what the run cannot know: calibration, limits, tables of the card, more
    metrics. `part` names one graph of a system that gives several. `half` stores weights in fp16, which a
    generator too large for the repository gets unasked. `trusted` is the FILE.py:CLASS whose code may run,
    for a run of one's own system. Raises `ParityError`, `ModelError`, `UsageError`,
    `OutputError`.
    """
    run = _run_record(run_folder)
    identity = Identity(name, version, licence, command=run["command"])
    is_detector = (run_folder / WEIGHTS).is_file()
    if is_detector and (part or half):
        raise UsageError(f"{run_folder} holds a detector.", "--part and --half are for generators.")
    kind: Kind = "detector" if is_detector else "generator"
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.onnx"
        if is_detector:
            record = _freeze_detector(run_folder, path, identity, run)
        else:
            record = _freeze_generator(run_folder, path, identity, run, part=part, half=half, trusted=trusted)
        given = dict(facts or {})
        record["metrics"] = {**given.pop("metrics", {}), **record["metrics"]}
        record |= {"licence": licence, "training": _training(run, record["inputs"]), **given}
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
    families = len(net.config.families)
    interface = export_detector(net, path, words, families)
    measured = {key: run[key] for key in ("auc", "auc_degraded", "parameters") if key in run}
    return {
        "task": DETECTOR_TASK,
        "tags": {"precision": "fp32"},
        "metrics": {**measured, "parity": check_detector(net, path, families=families).to_dict()},
        **_described(interface, families=net.config.families),
    }


def _freeze_generator(
    folder: Path,
    path: Path,
    identity: Identity,
    run: Mapping[str, Any],
    *,
    part: str,
    half: bool,
    trusted: str,
) -> dict[str, Any]:
    verdict = _verdict(folder, run)
    model = restore(folder, trusted=trusted)
    _require_part(model, part)
    words = replace(identity, task=model.task, preprocessing=GENERATOR_INPUT)
    interface = export_generator(model, path, words, part)
    halved = half or path.stat().st_size > MODEL_BYTES
    if halved:
        halve(path, path)
    measured = {key: run[key] for key in ("diversity", "losses", "parameters") if key in run}
    parity = check_generator(model, path, part=part, gate=HALF if halved else EXACT)
    tags = {"system": model.name, "precision": "fp16 weights" if halved else "fp32"}
    return {
        "task": model.task,
        "tags": tags | model.fingerprint() | ({"part": part} if part else {}),
        "metrics": {**measured, **verdict, "parity": parity.to_dict()},
        "paper": model.paper,
        "limits": GENERATOR_LIMITS,
        **_described(interface, model.inputs()),
    }


def _require_part(model: AdversarialModel, part: str) -> None:
    if part not in model.parts:
        known = ", ".join(model.parts)
        raise UsageError(
            f"{model.name} gives {f'the parts {known}' if known else 'one graph'}; --part says {part!r}.",
            "Name one of them with --part." if known else "Leave --part out.",
        )


def _verdict(folder: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """What the run was judged by, if it was; raises UsageError for a run that may become no model."""
    if run.get("stopped") == "interrupted":
        raise UsageError(
            f"The run in {folder} was interrupted, so nobody has judged it.", "Let it end with --resume."
        )
    path = folder / VERDICT
    if not path.is_file():
        raise UsageError(
            f"The run in {folder} has no {VERDICT}, so nobody has judged it.",
            "Give its `touchstone train` command again with --resume: that judges a run that has ended.",
        )
    found = _read_verdict(path)
    if found["missed"]:
        raise UsageError(
            f"The run in {folder} is below its floor: {' '.join(found['missed'])}",
            "It becomes no model. Train it longer, or with other options.",
        )
    kept = ("figures", "floors", "unmeasured", "samples", "extractor", "neighbours")
    return {"verdict": {key: found[key] for key in kept if key in found}}


def _read_verdict(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        missing = {"figures", "floors", "missed"} - found.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", "Delete it and train with --resume.") from None
    if missing:
        raise UsageError(f"{path} has no {', '.join(sorted(missing))}.", "Delete it and train with --resume.")
    return found


def _described(
    interface: Interface, meant: Mapping[str, Input] | None = None, families: Sequence[str] = ()
) -> dict[str, Any]:
    """The inputs and outputs as `models.json` has them.

    `meant` says what a generator's inputs mean, `families` names what a detector's output of that name tells
    apart.
    """
    dtypes = {name: str(value.dtype).removeprefix("torch.") for name, value in interface.example.items()}
    meant = meant or {}
    return {
        "inputs": [
            {"name": name, "dtype": dtypes[name], "shape": list(shape)}
            | (_meaning(meant[name]) if name in meant else {})
            for name, shape in interface.inputs.items()
        ],
        "outputs": [
            {"name": name, "dtype": "float32", "shape": list(shape)}
            | ({"names": list(families)} if name == FAMILIES else {})
            for name, shape in interface.outputs.items()
        ],
    }


def _meaning(item: Input) -> dict[str, Any]:
    """The role of an input, with what belongs to that role."""
    found: dict[str, Any] = {"role": item.role}
    if item.role == "latent":
        found["law"] = item.law
    if item.names:
        found["names"] = list(item.names)
    if item.role in RANGED:
        found |= {"low": item.low, "high": item.high}
    return found


def _training(run: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the weights came to be; a detector's crops count as images.

    Names that an input has (a vocabulary is long) are not said a second time.
    """
    seen = run.get("images_seen", run.get("crops_seen"))
    kept = ("command", "seed", "data_sha256", "hardware", "seconds", "torch", "commit")
    named = [item["names"] for item in inputs if "names" in item]
    config = {key: value for key, value in run.get("config", {}).items() if value not in named}
    return {"config": config, **{key: run[key] for key in kept if key in run}, "images_seen": seen}


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
