"""Small ONNX models written node by node, so that what they compute is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from detector.model import PRESETS, FakeDetector
from exports import bundle
from exports.to_onnx import Identity, export_detector

MakeModel = Callable[..., Path]


@pytest.fixture(autouse=True)
def _shipped_models_stay_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever a test publishes without naming a folder goes to scratch, never into the repository."""
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "shipped")


@pytest.fixture(scope="session")
def brightness_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of our interface: the map is the mean of each 8x8 cell / 255, the logit its mean."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "white"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMean", ["cells", "channel"], ["map"], keepdims=0),
        helper.make_node("ReduceMean", ["map", "sides"], ["logit"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["batch", "rows", "columns"]),
        ],
        [
            numpy_helper.from_array(np.float32(255.0), "white"),
            numpy_helper.from_array(np.array([1]), "channel"),
            numpy_helper.from_array(np.array([1, 2]), "sides"),
        ],
    )
    return _save(graph, tmp_path_factory.mktemp("ours") / "brightness.onnx")


@pytest.fixture(scope="session")
def sum_detector(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """`sum_detector(batch)`: a foreign graph, (batch, 3, 4, 4) to (batch, 2): mean and minus mean."""

    def make(batch: int | str = "batch") -> Path:
        nodes = [
            helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
            helper.make_node("Neg", ["column"], ["minus"]),
            helper.make_node("Concat", ["column", "minus"], ["scores"], axis=1),
        ]
        graph = helper.make_graph(
            nodes,
            "sum",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, 4, 4])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 2])],
            [
                numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
                numpy_helper.from_array(np.array([1]), "last"),
            ],
        )
        return _save(graph, tmp_path_factory.mktemp("foreign") / "theirs.onnx")

    return make


@pytest.fixture(scope="session")
def latent_generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator (batch, 12) -> (batch, 3, 2, 2): the tanh of its latent."""
    nodes = [
        helper.make_node("Tanh", ["z"], ["bounded"]),
        helper.make_node("Reshape", ["bounded", "shape"], ["images"]),
    ]
    graph = helper.make_graph(
        nodes,
        "latent",
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 12])],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 2, 2])],
        [numpy_helper.from_array(np.array([-1, 3, 2, 2]), "shape")],
    )
    return _save(graph, tmp_path_factory.mktemp("latent") / "latent.onnx")


@pytest.fixture(scope="session")
def network() -> FakeDetector:
    """A tiny detector whose batch norms have seen pictures and whose heads answer with more than zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = FakeDetector(PRESETS["tiny"])
        net.train()(torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8))
        for head in (*net.heads.cell, *net.heads.picture):
            torch.nn.init.normal_(head.weight, std=0.5)
            torch.nn.init.normal_(head.bias, std=0.5)
    return net.eval()


@pytest.fixture(scope="session")
def exported(network: FakeDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`network` as an ONNX file."""
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    identity = Identity("tiny", "1", task="finds fakes", command="touchstone train detector")
    export_detector(network, path, identity)
    return path


def _save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
