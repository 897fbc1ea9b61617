"""Two detectors made by code, of one convolution each, for tests with the real ONNX Runtime.

`colour` reads red as fake and blue as real: logit = (mean red - mean blue) / 16. `pattern` reads a
one-pixel checkerboard as fake, which a JPEG of quality 75 wipes out.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from detector.thresholds import Calibration
from evidence.medium import Pixels
from exports.registry import ModelEntry, Registry

CALIBRATION = Calibration(
    fake_at=0.9, real_below=0.1, false_alarm_rate=0.01, measured_on="pictures made by code", n=100
)


def install(
    folder: Path, kind: str = "colour", *, calibration: Calibration | None = CALIBRATION, version: str = "1"
) -> Path:
    """A models folder whose default detector is the tiny one of this kind."""
    folder.mkdir(parents=True, exist_ok=True)
    data = graph(kind).SerializeToString()
    file = f"{kind}.onnx" if version == "1" else f"{kind}-{version}.onnx"
    (folder / file).write_bytes(data)
    entry = ModelEntry(
        name=kind,
        version=version,
        kind="detector",
        file=file,
        sha256=sha256(data).hexdigest(),
        size_bytes=len(data),
        default=True,
        calibration=calibration.to_dict() if calibration else None,
    )
    Registry([folder]).add(entry)
    return folder


def graph(kind: str) -> onnx.ModelProto:
    """pixels uint8 (batch, height, width, 3) -> logit (batch,), map (batch, height / 8, width / 8)."""
    weights = np.zeros((1, 3, 8, 8), np.float32)
    if kind == "colour":
        weights[0, 0], weights[0, 2] = 1 / (64 * 16), -1 / (64 * 16)
        bias = 0.0
    else:
        y, x = np.mgrid[:8, :8]
        weights[0] = ((-1.0) ** (x + y) / (64 * 3) * 5).astype(np.float32)
        bias = -10.0
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights", "bias"], ["cells"], strides=[8, 8]),
        helper.make_node("Squeeze", ["cells", "channel"], ["map"]),
        helper.make_node("ReduceMean", ["map", "sides"], ["logit"], keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["batch", "rows", "columns"]),
        ],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([bias], np.float32), "bias"),
            numpy_helper.from_array(np.array([1], np.int64), "channel"),
            numpy_helper.from_array(np.array([1, 2], np.int64), "sides"),
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def picture(height: int, width: int, *, lean: float, seed: int = 0) -> Pixels:
    """Grey noise RGB uint8 (height, width, 3) that leans to red: the colour detector's logit is `lean`."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(88, 168, (height, width, 1))
    shift = np.array([8 * lean, 0, -8 * lean])
    return np.clip(np.round(grey + shift), 0, 255).astype(np.uint8)


def checkerboard(height: int, width: int, amplitude: int) -> Pixels:
    """Grey with a one-pixel checkerboard: the pattern detector's logit is 5 * amplitude - 10."""
    y, x = np.mgrid[:height, :width]
    grey = 128 + amplitude * (-1.0) ** (x + y)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
