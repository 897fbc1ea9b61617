"""Drawing is reproducible and needs no torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evidence.errors import ModelError
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.sampling import grid, sample

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


def test_what_is_missing_is_named(latent_generator: Path) -> None:
    entry = ModelEntry.from_file(latent_generator, "generator")
    pictured = replace(entry, inputs=({"name": "z", "role": "units"},))
    with pytest.raises(ModelError, match="also takes z"):
        sample(pictured, 1, 0)


def test_truncation_keeps_normal_latents_near_their_middle(latent_generator: Path) -> None:
    entry = ModelEntry.from_file(latent_generator, "generator")
    bound = np.rint(np.tanh(0.5) * 127.5 + 127.5)
    assert max(picture.max() for picture in sample(entry, 60, 0, truncation=0.5)) <= bound
    assert max(picture.max() for picture in sample(entry, 60, 0)) > bound


def test_pictures_of_several_sizes_stand_in_places_as_large_as_the_largest() -> None:
    small, large = np.zeros((2, 3, 3), np.uint8), np.zeros((256, 1024, 3), np.uint8)
    sheet = grid([small, large], columns=2)
    assert sheet.shape == (128, 1024, 3)  # the large one at half its size
    assert (sheet == 0).all(axis=2).sum() == 2 * 3 + 128 * 512
    assert not sheet[:2, :3].any()
    assert not sheet[:, 512:].any()


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
