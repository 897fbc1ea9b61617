"""Two generators made by code: `dots` draws 16 x 16 noise from a latent, `mirror` gives a picture back."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from exports.registry import ModelEntry, Registry


def install(folder: Path) -> None:
    """Add both to a models folder."""
    _add(folder, "dots", "noise", _dots(), {"name": "latent", "dtype": "float32", "shape": ["batch", 4]})
    picture = {"name": "images", "dtype": "float32", "shape": ["batch", 3, "height", "width"]}
    _add(folder, "mirror", "reconstruction", _mirror(), picture)


def _add(folder: Path, name: str, task: str, graph: onnx.ModelProto, takes: dict[str, object]) -> None:
    data = graph.SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    entry = ModelEntry(
        name,
        "1",
        "generator",
        f"{name}.onnx",
        sha256(data).hexdigest(),
        len(data),
        task=task,
        inputs=(takes,),
    )
    Registry([folder]).add(entry)


def _dots() -> onnx.ModelProto:
    weights = np.random.default_rng(0).standard_normal((4, 3 * 16 * 16)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["latent", "weights"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["raw"]),
        helper.make_node("Tanh", ["raw"], ["images"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([-1, 3, 16, 16], np.int64), "shape"),
    ]
    return _model(nodes, ("latent", ["batch", 4]), ["batch", 3, 16, 16], constants)


def _mirror() -> onnx.ModelProto:
    shape = ["batch", 3, "height", "width"]
    return _model([helper.make_node("Identity", ["images_in"], ["images"])], ("images_in", shape), shape, [])


def _model(
    nodes: list[onnx.NodeProto],
    takes: tuple[str, list[object]],
    gives: list[object],
    constants: list[onnx.TensorProto],
) -> onnx.ModelProto:
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, gives)],
        constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
