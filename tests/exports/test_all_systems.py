"""Every system of the catalogue becomes an ONNX file that says what its network says, part by part."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.parity import BATCHES, TOLERANCE, check_generator
from exports.to_onnx import Identity, export_generator
from generators import catalogue
from generators.contract import AdversarialModel
from tests.toy_gan import Conditioned

SIZES = ((64, 64), (64, 80))


def smoke(name: str) -> AdversarialModel:
    """The system's smoke preset with classes, words and persons put in."""
    model = catalogue.create(name, "smoke")
    config = model.fitted(Conditioned(model.image_shape))
    return catalogue.build(name, config, model.optimisation).eval()


@pytest.mark.parametrize("name", list(catalogue.CATALOGUE))
def test_the_file_of_every_part_of_a_system_answers_as_its_network(name: str, tmp_path: Path) -> None:
    model = smoke(name)
    for part in model.parts:
        export_generator(model, tmp_path / "g.onnx", Identity(name, "1"), part)
        found = check_generator(model, tmp_path / "g.onnx", part=part, sizes=SIZES)
        assert set(BATCHES) <= found.batches
        assert found.largest["images"] <= TOLERANCE
        assert found.grey_levels <= 1
