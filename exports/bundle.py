"""Publish a model: its file and card into a model folder, then its row into the index.

Nothing is published that passed no gate, asks for more than the ONNX standard, or makes the repository
heavy: 16 MiB a model, 64 MiB all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from detector.card import write_card
from evidence.errors import ModelError, ModelNotFound
from evidence.files import write_whole
from exports.cards import write_generator_card
from exports.graph import read_graph, refuse_unsafe
from exports.registry import SHIPPED, Kind, ModelEntry, Registry

MODEL_BYTES = 16 * 2**20
TOGETHER_BYTES = 64 * 2**20


def publish(
    name: str,
    onnx_path: Path,
    record: Mapping[str, Any],
    *,
    version: str,
    kind: Kind,
    default: bool = False,
    models: Registry | None = None,
) -> ModelEntry:
    """Copy `onnx_path` into the first folder of `models` (the shipped one), with its card and its row.

    `record` holds the other fields of `ModelEntry` (task, inputs, outputs, tags, training, metrics with
    the parity record under "parity", calibration, licence) and whatever else the card shows. The same
    name and version is replaced. Raises `ModelError` when the model may not be published.
    """
    models = Registry([SHIPPED]) if models is None else models
    label = f"{name}@{version}"
    data = _content(onnx_path)
    facts = read_graph(data)
    refuse_unsafe(facts, label)
    if not {"parity", "quantised"} & set(record.get("metrics", {})):
        raise ModelError(
            f"Model {label} has no record of the parity gate or the quantisation gate.",
            "Publish it through `touchstone export`, which compares it with its network.",
        )
    _check_sizes(label, len(data), models)
    row = {
        "name": name,
        "version": version,
        "kind": kind,
        "file": f"{name}-{version}.onnx",
        "sha256": sha256(data).hexdigest(),
        "size_bytes": len(data),
        "default": default,
        "opset": facts.opset,
        "card": f"{name}-{version}.md",
    }
    recorded = {key: record[key] for key in _RECORDED if key in record}
    entry = ModelEntry.from_dict({**recorded, **row}, models.folders[0])
    shown = {**record, **entry.to_dict()}
    card = write_card(shown) if kind == "detector" else write_generator_card(shown)
    write_whole(entry.path, data)
    write_whole(entry.folder / entry.card, card.encode())
    return models.add(entry)


_RECORDED = ("task", "inputs", "outputs", "tags", "training", "metrics", "calibration", "licence")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelNotFound(f"{path} cannot be read: {error.strerror}.", "Export the model first.") from error


def _check_sizes(label: str, size: int, models: Registry) -> None:
    others = sum(
        entry.size_bytes for entry in models if entry.folder == models.folders[0] and entry.label != label
    )
    for found, allowed, what in (
        (size, MODEL_BYTES, f"Model {label} has"),
        (others + size, TOGETHER_BYTES, f"With model {label} all models together would have"),
    ):
        if found > allowed:
            raise ModelError(
                f"{what} {found / 2**20:.1f} MiB; {allowed // 2**20} MiB are allowed.",
                "Publish it with --half, make it narrower, or take an older model out of the folder.",
            )
