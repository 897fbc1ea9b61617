"""Drawing and rebuilding are reproducible, at native size, and need no torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from evidence.errors import ModelError
from exports import sampling
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.sampling import grid, reconstruct, sample

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TORCH = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "onnx", "onnxscript"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from pathlib import Path
from exports.bundle import publish
from exports.registry import ModelEntry
from exports.sampling import sample
pictures = sample(ModelEntry.from_file(Path(sys.argv[1]), "generator"), 2, 0)
print(len(pictures), pictures[1].shape)
"""


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


def test_a_seed_gives_the_same_pictures_whatever_their_number(latent_generator: Path) -> None:
    entry = ModelEntry.from_file(latent_generator, "generator")
    many, few = sample(entry, 70, 5), sample(GeneratorSession(entry), 3, 5)
    assert len(many) == 70  # more than one batch
    assert all(np.array_equal(one, other) for one, other in zip(many, few, strict=False))
    assert not np.array_equal(many[0], many[1])
    assert not np.array_equal(many[0], sample(entry, 1, 6)[0])
    assert many[0].shape == (2, 2, 3)
    assert many[0].dtype == np.uint8


def test_latents_follow_the_law_that_was_written_down(latent_generator: Path) -> None:
    entry = ModelEntry.from_file(latent_generator, "generator")
    uniform = replace(entry, inputs=({"name": "z", "law": "uniform"},))
    bound = np.rint(np.tanh(1.0) * 127.5 + 127.5)  # the graph's tanh of a latent in [-1, 1]
    assert max(picture.max() for picture in sample(uniform, 60, 0)) <= bound
    assert max(picture.max() for picture in sample(entry, 60, 0)) > bound


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
    monkeypatch.setattr(sampling, "CORE", 64)
    monkeypatch.setattr(sampling, "HALO", 16)
    assert np.array_equal(reconstruct(blur, pixels, settled=False), whole)


def test_a_settled_picture_keeps_the_mean_colour_of_its_original(blur: ModelEntry, photo: np.ndarray) -> None:
    twin = reconstruct(blur, photo)
    assert not np.array_equal(twin, photo)
    assert np.abs(twin.mean((0, 1)) - photo.mean((0, 1))).max() < 1.0


def test_each_kind_of_generator_refuses_the_others_work(blur: ModelEntry, latent_generator: Path) -> None:
    with pytest.raises(ModelError, match="no latent"):
        sample(blur, 1, 0)
    with pytest.raises(ModelError, match="not a picture"):
        reconstruct(ModelEntry.from_file(latent_generator, "generator"), np.zeros((64, 64, 3), np.uint8))


def test_a_grid_is_read_in_lines_and_its_empty_places_are_white() -> None:
    pictures = [np.full((2, 3, 3), level, np.uint8) for level in (10, 20, 30)]
    sheet = grid(pictures)
    assert sheet.shape == (4, 6, 3)
    assert sheet[::2, ::3, 0].tolist() == [[10, 20], [30, 255]]
    assert grid(pictures, columns=3).shape == (2, 9, 3)


def test_the_runtime_half_draws_where_torch_and_onnx_are_not_installed(latent_generator: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(latent_generator)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "2 (2, 2, 3)"
