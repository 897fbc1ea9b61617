"""Reals made by code, and a recipe of the smallest shipped generators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from exports.registry import Registry, registry
from testsets.bench import Bench
from testsets.build import Plan, forge, planned
from testsets.document import Document
from testsets.recipe import Recipe, parse
from testsets.sources import Shelf

RECIPE = """\
fakes = 2
[[sources]]
name = "photos"
folder = "FOLDER"
[[systems]]
name = ["reconstruction-transposed-k4s2-x2", "reconstruction-haar-x4"]
partial = 0.5
[[systems]]
name = "splice"
area = [0.1, 0.2]
[[chains]]
name = "as-is"
[[chains]]
steps = "jpeg:quality=60"
[[chains]]
treatment = "screenshot"
"""

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def models() -> Registry:
    return registry()


@pytest.fixture
def reals(tmp_path: Path, make_photo: Callable[..., Pixels]) -> Path:
    """Six JPEGs of three sizes and qualities."""
    folder = tmp_path / "reals"
    folder.mkdir()
    for number in range(6):
        pixels = make_photo(96 + 16 * (number % 3), 128, number)
        (folder / f"photo {number}.jpg").write_bytes(encode_jpeg(pixels, 75 + 5 * (number % 3)))
    return folder


@pytest.fixture
def recipe(reals: Path) -> Recipe:
    return recipe_of(RECIPE.replace("FOLDER", str(reals)))


@pytest.fixture
def build(models: Registry) -> Build:
    """Forge the set of a recipe; the folder where it grew."""

    def make(recipe: Recipe, out: Path, *, workers: int = 1, **heard: Any) -> Path:
        bench = Bench(Shelf(recipe.sources), models)
        return forge(planned(recipe, models), bench, out, workers=workers, **(_heard() | heard))

    return make


def recipe_of(text: str) -> Recipe:
    return parse(Document("mine.toml", text))


def plan_of(text: str, models: Registry) -> Plan:
    return planned(recipe_of(text), models)


def _heard() -> dict[str, Any]:
    return {"on_row": lambda row, made: None, "on_failed": _never}


def _never(name: str, error: Exception) -> None:
    raise AssertionError(f"{name} failed: {error}")
