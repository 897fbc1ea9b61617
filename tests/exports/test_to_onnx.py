"""Exported files are single, free in their axes, fused, and silent about the machine that made them."""

from __future__ import annotations

import getpass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from detector.model import FakeDetector
from evidence.errors import ModelError
from exports.graph import read_graph
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession, open_detector
from exports.to_onnx import (
    OPSET,
    Identity,
    Interface,
    export,
    export_detector,
    export_generator,
    generator_interface,
)
from generators import catalogue

ROOT = Path(__file__).resolve().parents[2]


def test_a_detector_file_has_free_axes_under_our_names(exported: Path) -> None:
    session = open_detector(ModelEntry.from_file(exported))
    shapes = {name: value.shape for name, value in (*session.inputs.items(), *session.outputs.items())}
    assert shapes == {
        "pixels": ["batch", "height", "width", 3],
        "logit": ["batch"],
        "map": ["batch", "rows", "columns"],
    }
    assert session.inputs["pixels"].type == "tensor(uint8)"


def test_a_file_says_what_it_is(exported: Path) -> None:
    facts = read_graph(exported.read_bytes())
    assert facts.opset == OPSET
    assert not facts.external_data
    assert facts.doc == "tiny 1. finds fakes"
    assert facts.metadata["licence"] == "Apache-2.0"
    assert facts.metadata["command"] == "touchstone train detector"


def test_our_reader_and_onnx_agree_on_what_is_in_a_file(exported: Path) -> None:
    facts, model = read_graph(exported.read_bytes()), onnx.load(exported)
    assert facts.operators == {(node.domain, node.op_type) for node in model.graph.node}
    assert facts.metadata == {item.key: item.value for item in model.metadata_props}


def test_nothing_of_the_exporting_machine_is_left_in_a_file(exported: Path) -> None:
    data = exported.read_bytes()
    for trace in (str(ROOT), str(Path.home() / ""), "site-packages", "stack_trace", f"/{getpass.getuser()}/"):
        assert trace.encode() not in data


def test_batch_norm_is_folded_and_the_runtime_fuses_activations(exported: Path, tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    before = [node.op_type for node in onnx.load(exported).graph.node]
    after = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert "BatchNormalization" not in before
    assert before.count("Relu") >= 5
    assert "Relu" not in after  # each went into its convolution
    assert "FusedConv" in after


def test_a_generator_of_noise_takes_any_batch(tmp_path: Path) -> None:
    model = catalogue.create("dcgan", "smoke")
    export_generator(model, tmp_path / "g.onnx", Identity("g", "1"))
    session = GeneratorSession(ModelEntry.from_file(tmp_path / "g.onnx", "generator"))
    assert session.outputs["images"].shape == ["batch", *model.image_shape]
    for count in (1, 5):
        z = model.export_inputs(count)["z"].numpy()
        assert session.run(z=z).shape == (count, *model.image_shape)


def test_a_generator_that_stopped_growing_exports_at_its_own_size() -> None:
    model = catalogue.create("progressive", "smoke")
    channels, side, _ = model.image_shape
    young = generator_interface(model).outputs["images"]
    model.images_seen = model.optimisation.total_images
    assert generator_interface(model).outputs["images"] == ("batch", channels, side, side)
    assert young[0] == "batch"
    assert young[2] == young[3] < side


class _Doubling(nn.Module):
    """Pixels to twice as many by nearest neighbour: known without weights."""

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.interpolate(pixels, scale_factor=2.0, mode="nearest")


def test_an_image_to_image_network_takes_any_size(tmp_path: Path) -> None:
    interface = Interface(
        {"pixels": torch.zeros(2, 3, 64, 64)},
        {"pixels": ("batch", 3, "height", "width")},
        {"images": ("batch", 3, "rows", "columns")},
        {"height": 16, "width": 16},
    )
    export(_Doubling(), tmp_path / "d.onnx", interface, Identity("d", "1"))
    session = GeneratorSession(ModelEntry.from_file(tmp_path / "d.onnx", "generator"))
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 3, 80, 64)).astype(np.float32)
    assert np.array_equal(session.run(pixels=pixels), pixels.repeat(2, 2).repeat(2, 3))


def test_a_network_that_cannot_be_traced_is_a_model_error(tmp_path: Path) -> None:
    class Undecided(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels if pixels.sum() > 0 else -pixels

    interface = Interface({"pixels": torch.ones(2, 3)}, {"pixels": ("batch", 3)}, {"y": ("batch", 3)})
    with pytest.raises(ModelError, match="Undecided cannot be written as ONNX"):
        export(Undecided(), tmp_path / "x.onnx", interface, Identity("x", "1"))
    assert list(tmp_path.iterdir()) == []


def test_exporting_leaves_the_network_as_it_was(network: FakeDetector, tmp_path: Path) -> None:
    network.train()
    try:
        before = {name: value.clone() for name, value in network.state_dict().items()}
        export_detector(network, tmp_path / "again.onnx", Identity("again", "1"))
        assert network.training
        assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    finally:
        network.eval()
