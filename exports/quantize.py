"""A detector in eight-bit integers, written only where it answers as the float one does.

Static quantisation (QDQ form, weights per channel) with ranges from real tiles, without the one value in
ten thousand that would stretch them. The stems and the heads of the map stay in float: fine residuals and
the logits are what the decision hangs on. Whether the result may be used is for the gate.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from detector.metrics import auc
from evidence.errors import ModelError
from evidence.files import write_whole
from exports.registry import ModelEntry
from exports.runtime import open_detector

Tiles = NDArray[np.uint8]
CALIBRATION_BATCH = 8
RANGE = 99.99  # per cent of what was seen
NEAR = 4.0  # logits from the threshold, within which a change could change a verdict
COLOURS = 3


@dataclass(frozen=True)
class Gate:
    """What the integer model may change: logits near `threshold`, the share of verdicts there, the AUC."""

    max_logit: float = 1.0
    mean_logit: float = 0.1
    flips: float = 0.005
    auc: float = 0.002
    threshold: float = 0.0  # the raw logit at which a tile is called fake


@dataclass(frozen=True)
class Quantised:
    """The gate's answer: `refused` lists the limits that were broken, empty when the file was written."""

    refused: tuple[str, ...]
    max_logit: float
    mean_logit: float
    flips: float
    auc_float: float
    auc_integer: float
    tiles: int
    size_bytes: int

    @property
    def accepted(self) -> bool:
        return not self.refused

    def to_dict(self) -> dict[str, Any]:
        """The record of `models.json`."""
        return asdict(self)


def quantise(
    source: Path,
    target: Path,
    *,
    calibration: Tiles,
    tiles: Tiles,
    labels: ArrayLike,
    gate: Gate | None = None,
) -> Quantised:
    """Write the integer form of detector `source` to `target` if it passes the gate on `tiles`.

    `calibration` and `tiles` are uint8 (N, h, w, 3) of different pictures, real, fake and compressed;
    `labels` (N,) are 1 for fake. Raises `ModelError` when ONNX Runtime cannot quantise the graph.
    """
    gate = gate or Gate()
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "integer.onnx"
        _write_integer(source, made, calibration, Path(scratch))
        before = open_detector(ModelEntry.from_file(source), "cpu").run(tiles)[0]
        after = open_detector(ModelEntry.from_file(made), "cpu").run(tiles)[0]
        data = made.read_bytes()
    change = np.abs(after.astype(np.float64) - before)[np.abs(before - gate.threshold) <= NEAR]
    measured = {
        "max_logit": float(change.max(initial=0.0)),
        "mean_logit": float(change.mean()) if len(change) else 0.0,
        "flips": float(((before >= gate.threshold) != (after >= gate.threshold)).mean()),
    }
    areas = {"auc_float": auc(labels, before), "auc_integer": auc(labels, after)}
    found = {**measured, "auc": abs(areas["auc_float"] - areas["auc_integer"])}
    refused = tuple(
        f"{name} {value:.4g} exceeds {getattr(gate, name):g}"
        for name, value in found.items()
        if value > getattr(gate, name)
    )
    if not refused:
        write_whole(target, data)
    return Quantised(refused=refused, tiles=len(tiles), size_bytes=len(data), **measured, **areas)


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Calibration tiles, a batch at a time; histograms want batches of one size, so some tiles are left."""

    def __init__(self, tiles: Tiles) -> None:
        size = min(CALIBRATION_BATCH, len(tiles))
        starts = range(0, len(tiles) - size + 1, size)
        self._batches = iter([tiles[start : start + size] for start in starts])

    def get_next(self) -> dict[str, Tiles] | None:
        batch = next(self._batches, None)
        return None if batch is None else {"pixels": batch}


def _write_integer(source: Path, target: Path, calibration: Tiles, scratch: Path) -> None:
    prepared = scratch / "prepared.onnx"
    try:
        with _quiet():
            quant_pre_process(source, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                target,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=_ends(onnx.load(prepared).graph),
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": RANGE},
            )
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ModelError(
            f"{source.name} cannot be quantised: {' '.join(str(error).split())[:300]}.",
            "Ship the float model.",
        ) from error
    model = onnx.load(target)
    words = {item.key: item.value for item in onnx.load(source).metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**words, "precision": "int8"})
    onnx.save(model, target)


def _ends(graph: onnx.GraphProto) -> list[str]:
    """The convolutions that read colours and those that write one logit for each place."""
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    weights = {node.name: shapes[node.input[1]] for node in graph.node if node.op_type == "Conv"}
    return [name for name, (outputs, inputs, *_) in weights.items() if inputs == COLOURS or outputs == 1]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's remarks to the root logger and its prints off the terminal."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
