"""The parity gate lets equal graphs pass and names the node at which others go wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from detector.model import FakeDetector
from evidence.errors import ParityError
from exports.parity import TOLERANCE, check_detector, check_generator
from exports.to_onnx import Identity, export_generator
from generators import catalogue
from generators.systems.reconstruction import MEMBERS, ReconstructionGAN

SIZES = ((64, 64), (72, 136))


def test_an_exported_detector_agrees_with_its_network(network: FakeDetector, exported: Path) -> None:
    found = check_detector(network, exported, sizes=SIZES, batches=(1, 3))
    assert max(found.largest.values()) <= TOLERANCE
    assert found.to_dict() | {"largest": 0} == {
        "tolerance": TOLERANCE,
        "largest": 0,
        "grey_levels": 0,
        "flips": 0,
        "pictures": 8,
        "sizes": [[64, 64], [72, 136]],
        "batches": [1, 3],
    }


@pytest.mark.parametrize(
    ("weight", "culprit"),
    [
        ("stem.kernels", "Conv `conv2d`"),
        ("experts.0.layers.2.body.0.weight", "Conv `getitem_6`"),  # with its batch norm folded in
    ],
)
def test_a_planted_difference_is_found_and_its_node_named(
    network: FakeDetector, exported: Path, tmp_path: Path, weight: str, culprit: str
) -> None:
    planted = _with_weight(exported, tmp_path / "planted.onnx", weight, change=1.0)
    with pytest.raises(ParityError) as caught:
        check_detector(network, planted, sizes=SIZES, batches=(1,))
    assert f"The first node that differs is {culprit}" in caught.value.message
    assert "(1, 64, 64, 3)" in caught.value.message


def test_a_difference_below_the_tolerance_passes_and_is_written_down(
    network: FakeDetector, exported: Path, tmp_path: Path
) -> None:
    planted = _with_weight(exported, tmp_path / "near.onnx", "heads.picture.0.bias", change=TOLERANCE / 2)
    found = check_detector(network, planted, sizes=SIZES, batches=(1,))
    assert found.largest["logit"] == pytest.approx(TOLERANCE / 2, rel=0.1)  # the rest is rounding


def test_a_generator_of_noise_agrees_with_its_network(tmp_path: Path) -> None:
    model = catalogue.create("vanilla", "smoke")
    export_generator(model, tmp_path / "g.onnx", Identity("g", "1"))
    found = check_generator(model, tmp_path / "g.onnx", batches=(1, 3))
    assert found.largest["images"] <= TOLERANCE
    assert found.pictures == 1 + 3 + 64


def test_an_image_to_image_generator_agrees_at_every_size(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ReconstructionGAN(MEMBERS["transposed-k2s2-x4"])
    export_generator(model, tmp_path / "g.onnx", Identity("g", "1"))
    found = check_generator(model, tmp_path / "g.onnx", sizes=SIZES, batches=(1, 3))
    assert found.largest["images"] <= TOLERANCE
    assert found.to_dict()["sizes"] == [[64, 64], [80, 144]]  # rounded up to multiples of 16


def _with_weight(source: Path, target: Path, name: str, *, change: float) -> Path:
    """A copy of a model in which the first number of one weight is changed."""
    model = onnx.load(source)
    tensor = next(item for item in model.graph.initializer if item.name == name)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[np.abs(values).argmax()] += change
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, target)
    return target
