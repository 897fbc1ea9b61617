"""Pictures go through a generator at their own place and size; what was not to be made stays to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evidence.errors import UsageError
from exports import editing
from exports.editing import edit, reconstruct
from exports.registry import ModelEntry
from exports.to_onnx import Identity, export_generator
from generators import catalogue


@pytest.fixture(scope="module")
def blur(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    """An image-to-image generator: a 5 x 5 box blur with zeros around the picture."""
    kernel = np.zeros((3, 3, 5, 5), np.float32)
    kernel[range(3), range(3)] = 1 / 25
    node = helper.make_node("Conv", ["pixels", "kernel"], ["images"], pads=[2, 2, 2, 2])
    axes = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [node],
        "blur",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, axes)],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    path = tmp_path_factory.mktemp("blur") / "blur.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return ModelEntry.from_file(path, "generator")


def test_a_rebuilt_picture_has_the_size_of_its_original(blur: ModelEntry) -> None:
    for height, width in ((1, 1), (64, 64), (75, 130)):
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        assert reconstruct(blur, pixels).shape == pixels.shape


def test_a_rebuilt_picture_is_what_the_network_says_of_it(blur: ModelEntry) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    twin = reconstruct(blur, pixels, settled=False)
    assert abs(int(twin[30, 40, 1]) - pixels[28:33, 38:43, 1].mean()) <= 0.5  # rounded to a grey level


def test_a_large_picture_is_rebuilt_in_parts_without_seams(
    blur: ModelEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    whole = reconstruct(blur, pixels, settled=False)
    monkeypatch.setattr(editing, "CORE", 64)
    monkeypatch.setattr(editing, "HALO", 16)
    assert np.array_equal(reconstruct(blur, pixels, settled=False), whole)


def test_a_settled_picture_keeps_the_mean_colour_of_its_original(blur: ModelEntry, photo: np.ndarray) -> None:
    twin = reconstruct(blur, photo)
    assert not np.array_equal(twin, photo)
    assert np.abs(twin.mean((0, 1)) - photo.mean((0, 1))).max() < 1.0


@pytest.fixture(scope="module")
def stamp(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    """A hole filler of 32 x 32: white in the mask."""
    nodes = [
        helper.make_node("Greater", ["mask", "half"], ["hole"]),
        helper.make_node("Where", ["hole", "white", "pixels"], ["images"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stamp",
        [
            helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 32, 32]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["batch", 1, 32, 32]),
        ],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in (("half", 0.5), ("white", 1))],
    )
    path = tmp_path_factory.mktemp("stamp") / "stamp.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    rows = ({"name": "pixels", "role": "image"}, {"name": "mask", "role": "mask"})
    return replace(ModelEntry.from_file(path, "generator"), task="inpainting", inputs=rows)


@pytest.mark.parametrize(
    "hole",
    [(10, 20, 12, 30), (0, 5, 20, 20), (60, 70, 20, 20), (0, 0, 60, 96), (5, 0, 3, 100)],
    ids=["inside", "at the top", "in the corner", "most of it", "all across"],
)
def test_a_hole_anywhere_is_filled_whole_and_nothing_else_is_touched(
    stamp: ModelEntry, hole: tuple[int, int, int, int]
) -> None:
    pixels = np.random.default_rng(3).integers(0, 200, (80, 100, 3), dtype=np.uint8)
    top, left, tall, wide = hole
    mask = np.zeros((80, 100), bool)
    mask[top : top + tall, left : left + wide] = True
    edited = edit(stamp, pixels, mask=mask)
    assert np.array_equal(edited.pixels[~mask], pixels[~mask])
    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    assert edited.pixels[inside].min() > 200 or not inside.any()  # enlarged, so soft at its edge
    assert edited.pixels[mask].mean() > pixels[mask].mean()


def test_a_generator_of_noise_rebuilds_nothing(latent_generator: Path) -> None:
    with pytest.raises(UsageError, match="not a picture of any size"):
        reconstruct(ModelEntry.from_file(latent_generator, "generator"), np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("name", ["inpainting", "outpainting"])
def test_what_fills_a_hole_is_the_same_however_much_of_the_picture_is_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = catalogue.create(name, "shipped").eval()
    export_generator(model, tmp_path / "g.onnx", Identity(name, "1"))
    rows = ({"name": "image", "role": "image"}, {"name": "mask", "role": "mask"})
    entry = replace(ModelEntry.from_file(tmp_path / "g.onnx", "generator"), task=name, inputs=rows)
    pixels = np.random.default_rng(4).integers(0, 256, (60, 1000, 3), dtype=np.uint8)
    mask = np.zeros(pixels.shape[:2], bool)
    mask[20:50, 30:310] = True  # more than one part wide
    mask[0:9, 330:350] = True
    parts = edit(entry, pixels, mask=mask).pixels
    monkeypatch.setattr(editing, "HOLE_CORE", 2048)
    monkeypatch.setattr(editing, "HOLE_HALO", 2048)
    whole = edit(entry, pixels, mask=mask).pixels
    assert np.abs(parts.astype(int) - whole).max() <= 1  # a grey level: convolutions add up in another order
