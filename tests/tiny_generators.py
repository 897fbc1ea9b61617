"""Generators made by code, one of each task, whose answers are known.

`dots` draws 16 x 16 noise from a latent and `mirror` gives a picture back. `shades` paints its class (black,
grey, white), `poet` the words it knows (red, blue). `filler` and `extender` paint holes white. `smiler` adds
its first action unit to a face of 32 x 32 as brightness, `turner` a hundredth of the angle.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from exports.registry import ModelEntry, Registry

FREE = ["batch", 3, "height", "width"]
FACE = ["batch", 3, 32, 32]

Row = dict[str, Any]


def install(folder: Path) -> None:
    """Add all of them to a models folder."""
    _add(folder, "dots", "noise", _dots(), [_row("latent", ["batch", 4])])
    _add(folder, "mirror", "reconstruction", _mirror(), [_row("source", FREE)])
    shades = {"role": "label", "names": ["black", "grey", "white"]}
    _add(folder, "shades", "class", _shades(), [_row("label", ["batch"], "int64", **shades)])
    words = {"role": "tokens", "names": ["", "?", "red", "blue"]}
    _add(folder, "poet", "caption", _poet(), [_row("tokens", ["batch", 4], "int64", **words)])
    picture, mask = _row("source", FREE, role="image"), _row("mask", ["batch", 1, *FREE[2:]], role="mask")
    _add(folder, "filler", "inpainting", _filler(), [picture, mask])
    _add(folder, "extender", "outpainting", _filler(), [picture, mask])
    face = _row("source", FACE, role="image")
    units = {"role": "units", "names": ["AU12", "AU26", "AU16"], "low": 0.0, "high": 1.0}
    _add(folder, "smiler", "animation", _smiler(), [face, _row("units", ["batch", 3], **units)])
    yaw = {"role": "yaw", "low": -45.0, "high": 45.0}
    _add(folder, "turner", "rotation", _turner(), [face, _row("yaw", ["batch"], **yaw)])


def install_mural(folder: Path) -> None:
    """Add `mural`, which draws 256 x 256 patches from a latent: enough to carry every mark."""
    _add(folder, "mural", "noise", _mural(), [_row("latent", ["batch", 4])])


def _row(name: str, shape: list[Any], dtype: str = "float32", **meaning: object) -> Row:
    return {"name": name, "dtype": dtype, "shape": shape, **meaning}


def _add(folder: Path, name: str, task: str, graph: onnx.GraphProto, takes: list[Row]) -> None:
    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    graph.name = name
    graph.input.extend(
        helper.make_tensor_value_info(row["name"], types[row["dtype"]], row["shape"]) for row in takes
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    digest = sha256(data).hexdigest()
    entry = ModelEntry(
        name, "1", "generator", f"{name}.onnx", digest, len(data), task=task, inputs=tuple(takes)
    )
    Registry([folder]).add(entry)


def _dots() -> onnx.GraphProto:
    weights = np.random.default_rng(0).standard_normal((4, 3 * 16 * 16)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["latent", "weights"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["raw"]),
        helper.make_node("Tanh", ["raw"], ["images"]),
    ]
    return _graph(nodes, ["batch", 3, 16, 16], weights=weights, shape=np.array([-1, 3, 16, 16]))


def _mural() -> onnx.GraphProto:
    weights = np.random.default_rng(0).standard_normal((4, 3 * 16 * 16)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["latent", "weights"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["raw"]),
        helper.make_node("Tanh", ["raw"], ["small"]),
        helper.make_node("Resize", ["small", "", "scales"], ["images"], mode="cubic"),
    ]
    scales, shape = np.float32([1, 1, 16, 16]), np.array([-1, 3, 16, 16])
    return _graph(nodes, ["batch", 3, 256, 256], weights=weights, shape=shape, scales=scales)


def _mirror() -> onnx.GraphProto:
    return _graph([helper.make_node("Identity", ["source"], ["images"])], FREE)


def _shades() -> onnx.GraphProto:
    table = np.repeat(np.float32([-1, 0, 1]), 3 * 16 * 16).reshape(3, 3, 16, 16)
    return _graph(
        [helper.make_node("Gather", ["table", "label"], ["images"])], ["batch", 3, 16, 16], table=table
    )


def _poet() -> onnx.GraphProto:
    table = np.float32([[0, 0, 0], [0, 0, 0], [1, -1, -1], [-1, -1, 1]])
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axis"], ["sum"], keepdims=0),
        helper.make_node("Clip", ["sum", "low", "high"], ["colour"]),
        helper.make_node("Reshape", ["colour", "shape"], ["dot"]),
        helper.make_node("Tile", ["dot", "times"], ["images"]),
    ]
    constants = {"table": table, "axis": np.array([1]), "low": np.float32(-1), "high": np.float32(1)}
    shapes = {"shape": np.array([-1, 3, 1, 1]), "times": np.array([1, 1, 16, 16])}
    return _graph(nodes, ["batch", 3, 16, 16], **constants, **shapes)


def _filler() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Greater", ["mask", "half"], ["hole"]),
        helper.make_node("Where", ["hole", "white", "source"], ["images"]),
    ]
    return _graph(nodes, FREE, half=np.float32(0.5), white=np.float32(1))


def _smiler() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Slice", ["units", "from", "to", "axis"], ["first"]),
        helper.make_node("Unsqueeze", ["first", "places"], ["light"]),
        helper.make_node("Add", ["source", "light"], ["images"]),
    ]
    constants = {
        "from": np.array([0]),
        "to": np.array([1]),
        "axis": np.array([1]),
        "places": np.array([2, 3]),
    }
    return _graph(nodes, FACE, **constants)


def _turner() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Mul", ["yaw", "hundredth"], ["small"]),
        helper.make_node("Unsqueeze", ["small", "places"], ["light"]),
        helper.make_node("Add", ["source", "light"], ["images"]),
    ]
    return _graph(nodes, FACE, hundredth=np.float32(0.01), places=np.array([1, 2, 3]))


def _graph(nodes: list[onnx.NodeProto], gives: list[Any], **constants: np.ndarray) -> onnx.GraphProto:
    """A graph without its inputs, which `_add` puts in."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, gives)
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(nodes, "tiny", [], [images], tensors)
