"""Attacks of a recipe: refused with their line, done to the side they name, made again to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evidence.image import decode_image
from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from exports.manifest import Row
from exports.registry import Registry
from tests.testsets.conftest import recipe_of
from tests.tiny_detector import install
from testsets.aims import OpenTarget
from testsets.bench import Bench
from testsets.build import forge, planned
from testsets.document import RecipeError
from testsets.sources import Shelf
from testsets.verify import bench_of, check, rebuild, rows_of
from worker.settings import load_settings
from worker.targets import open_steady

SYSTEMS = '[[systems]]\nname = ["reconstruction-haar-x4", "splice"]\n'


@pytest.fixture
def open_tiny(tmp_path: Path) -> OpenTarget:
    """Opens the tiny detector of colours: red is fake, blue is real."""
    settings = load_settings(models=str(install(tmp_path / "models")), model="colour")
    return partial(open_steady, settings)


@pytest.fixture
def red(tmp_path: Path, make_photo: Callable[..., Pixels]) -> Path:
    """Four photographs a little redder than the tiny detector lets pass, one that it calls real."""
    folder = tmp_path / "red"
    folder.mkdir()
    for number in range(5):
        pixels = make_photo(96, 96, number).astype(int) // 2 + 64
        shift = round(float(pixels[..., 2].mean() - pixels[..., 0].mean())) + (40 if number < 4 else -60)
        pixels[..., 0] = (pixels[..., 0] + shift).clip(0, 255)
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(pixels.astype("uint8"), 90))
    return folder


def build(text: str, models: Registry, out: Path, open_target: OpenTarget | None, workers: int = 1) -> Path:
    recipe = recipe_of(text)
    made = planned(recipe, models, open_target)
    bench = Bench(Shelf(recipe.sources), models, open_target=open_target, targets=made.targets)
    heard: dict[str, Any] = {
        "on_row": lambda row, one: None,
        "on_failed": lambda name, error: pytest.fail(name),
    }
    return forge(made, bench, out, workers=workers, **heard)


def sourced(folder: Path, attacks: str, more: str = "fakes = 2") -> str:
    return f'{more}\n[[sources]]\nfolder = "{folder}"\n{SYSTEMS}{attacks}'


def attacked(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["attack"]]


def test_fakes_are_attacked_and_their_twins_delivered_alike(
    red: Path, models: Registry, open_tiny: OpenTarget, tmp_path: Path
) -> None:
    text = sourced(red, '[[attacks]]\nname = "square"\nqueries = 60\neps = 64\n')
    part = build(text, models, tmp_path / "set", open_tiny)
    rows = rows_of(part)
    assert list(check(part, rows)) == []
    assert {Path(row["path"]).suffix for row in rows} == {".png"}
    fakes = [row for row in rows if row["label"] == "fake"]
    assert {row["path"] for row in attacked(rows)} == {row["path"] for row in fakes}
    for row in fakes:
        assert row["attack"] == {"name": "square", "settings": {**_SQUARE, "queries": 60, "eps": 64}}
        assert row["target"] == "colour@1"
        assert len(row["target_sha256"]) == 64
        assert row["queries"] <= 60
    right = [row for row in fakes if row["fake"]]
    missed = [row for row in fakes if not row["fake"]]
    assert right
    assert missed
    assert all(row["flipped"] and row["psnr"] < 60 for row in right)
    assert all(row["flipped"] is None and row["psnr"] == 138 for row in missed)


def test_every_attacked_item_is_made_anew_from_its_row_by_any_number_of_processes(
    red: Path, models: Registry, open_tiny: OpenTarget, tmp_path: Path
) -> None:
    text = sourced(
        red,
        '[[attacks]]\nname = "square:queries=40"\non = "both"\nshare = 0.5\n[[attacks]]\nname = "recode"\n',
    )
    part = build(text, models, tmp_path / "set", open_tiny, workers=2)
    rows = rows_of(part)
    assert 0 < sum(row["attack"]["name"] == "square" for row in attacked(rows)) < len(attacked(rows))
    bench = bench_of(part, models, open_target=open_tiny)
    assert [rebuild(bench, row) for row in rows] == [""] * len(rows)
    again = build(text, models, tmp_path / "again", open_tiny)
    assert [row["sha256"] for row in rows_of(again)] == [row["sha256"] for row in rows]


def test_laundering_of_reals_changes_the_real_and_keeps_its_label(
    red: Path, models: Registry, tmp_path: Path
) -> None:
    text = sourced(red, '[[attacks]]\nname = "renoise"\non = "both"\nshare = 0.4\n', "fakes = 1")
    rows = rows_of(build(text, models, tmp_path / "set", None))
    reals = [row for row in rows if row["label"] == "real"]
    struck = attacked(reals)
    assert len(struck) == 2
    assert all(row["target"] == "" and row["flipped"] is None and row["psnr"] < 60 for row in struck)
    for row in reals:
        own = decode_image((red / row["order"]["key"]).read_bytes())[1]
        same = (decode_image(tmp_path / "set.part" / row["path"])[1] == own).all()
        assert same == (row not in struck)


def test_on_a_ladder_every_real_goes_through_every_attack(
    red: Path, models: Registry, tmp_path: Path
) -> None:
    text = sourced(red, '[[attacks]]\nname = "notch"\n[[attacks]]\nname = "renoise"\n', "ladder = true")
    rows = rows_of(build(text, models, tmp_path / "set", None))
    told = [(row["attack"] or {"name": ""})["name"] for row in rows if row["label"] == "fake"]
    assert {name: told.count(name) for name in told} == {"": 5, "notch": 5, "renoise": 5}


def test_a_target_that_moved_is_found_by_its_file_and_one_that_changed_is_told(
    red: Path, models: Registry, open_tiny: OpenTarget, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.onnx"
    shutil.copy(tmp_path / "models" / "colour.onnx", theirs)
    text = sourced(red, f'[[attacks]]\nname = "square"\nqueries = 20\ntarget = "{theirs}"\n', "fakes = 1")
    part = build(text, models, tmp_path / "set", open_tiny)
    row = attacked(rows_of(part))[0]
    moved = theirs.rename(tmp_path / "moved.onnx")
    lost = rebuild(bench_of(part, models, open_target=open_tiny), row)
    assert "The detector theirs@0 that it attacked cannot be opened" in lost
    assert "--target" in lost
    assert rebuild(bench_of(part, models, open_target=open_tiny, targets=[moved]), row) == ""
    other = install(tmp_path / "other", "pattern") / "pattern.onnx"
    shutil.copy(other, theirs)
    assert "another detector now" in rebuild(bench_of(part, models, open_target=open_tiny), row)


_SQUARE = {"queries": 1000, "beyond": 0.0, "eps": 3, "area": 0.3}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[[attacks]]\nname = "squares"', 7, "no attack 'squares'.*square"),
        ('[[attacks]]\nname = "square"\nqueries = 0', 8, "queries of the attack square is 0"),
        ('[[attacks]]\nname = "square"\nquery = 5', 8, "'query' means nothing here.*queries"),
        ('[[attacks]]\nname = "square:eps"', 7, "sets nothing"),
        ("[[attacks]]\nshare = 0.5", 6, "An attack has no name"),
        ('[[attacks]]\nname = "notch"\non = "all"', 8, "on is 'all'.*fakes"),
        ('[[attacks]]\nname = "notch"\nshare = 1.5', 8, "share is 1.5"),
        (
            '[[attacks]]\nname = "notch"\nshare = 0.7\n[[attacks]]\nname = "grid"\nshare = 0.7',
            8,
            "take 1.4 of the reals",
        ),
        ('[[attacks]]\nname = "notch"\n[[attacks]]\nname = "notch"', 9, "named twice"),
        ('[[attacks]]\nname = "square"\ntarget = "none.onnx"', 8, "There is no .*none.onnx"),
        ('[[attacks]]\nname = "pgd"\ntarget = "nobody"', 8, "nobody"),
    ],
)
def test_what_is_wrong_with_an_attack_is_named_with_its_line(
    text: str, line: int, said: str, models: Registry, open_tiny: OpenTarget
) -> None:
    with pytest.raises(RecipeError, match=rf"(?s)mine\.toml, line {line}: .*{said}"):
        planned(recipe_of(sourced(Path("nowhere"), text)), models, open_tiny)


def test_an_attack_on_nobody_is_refused_before_anything_is_made(red: Path, models: Registry) -> None:
    with pytest.raises(RecipeError, match=r"line 6: There is nothing here to open detectors with"):
        planned(recipe_of(sourced(red, '[[attacks]]\nname = "square"\n')), models)
