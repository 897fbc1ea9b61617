"""What is written in a layout of the field is read back by its rules without loss."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from detector.entries import Entry
from detector.readers import read
from exports.manifest import Row
from tests.testsets.conftest import RECIPE, Build, recipe_of
from testsets.recipe import LAYOUTS, Recipe
from testsets.verify import rows_of
from testsets.writers import WRITERS, read_items, write_layouts

BY_GENERATOR = ("forensynths", "genimage")  # a real stands beside every generator that forged it
TABLES = ("webdataset", "imagefolder", "parquet", "csv")
WITH_MASKS = ("deepfakebench", "imagefolder", "csv")


@pytest.fixture
def built(reals: Path, build: Build, tmp_path: Path) -> Path:
    """A set of two splits, with masks and every layout."""
    text = RECIPE.replace("FOLDER", str(reals)) + "[splits]\ntrain = 0.5\ntest = 0.5\n"
    part = build(recipe_of(text), tmp_path / "set")
    write_layouts(part, rows_of(part), LAYOUTS)
    return part


def sha256_of(entry: Entry) -> str:
    data = entry.path.read_bytes() if entry.inside is None else entry.inside.read()
    return hashlib.sha256(data).hexdigest()


def forger(entry: Entry) -> str:
    """Who forged it; beside a generator's forgeries a real has the generator's name as its pool's."""
    return "" if entry.label == "real" else entry.generator


def expected(rows: list[Row], layout: str) -> Counter[tuple[str, str, str, str]]:
    """Label, generator, split and bytes of all that a layout should hold."""
    shown = [
        (row["label"], row["generator"] or "", row["split"], row["sha256"])
        for row in rows
        if row["label"] == "fake" or layout not in BY_GENERATOR
    ]
    if layout in BY_GENERATOR:
        reals = {row["path"]: row for row in rows if row["label"] == "real"}
        twins = [reals[row["twin_of"]] for row in rows if row["label"] == "fake"]
        shown += [("real", "", twin["split"], twin["sha256"]) for twin in twins]
    if layout == "genimage":
        shown = [
            (label, who, "train" if split == "train" else "val", sha) for label, who, split, sha in shown
        ]
    return Counter(shown)


def test_every_layout_of_a_recipe_has_its_writer() -> None:
    assert set(WRITERS) == set(LAYOUTS)


def test_each_layout_is_read_back_without_loss(built: Path) -> None:
    rows = rows_of(built)
    assert {row["split"] for row in rows} == {"train", "test"}
    for layout in LAYOUTS:
        entries = read(built / "layouts" / layout)
        found = Counter((one.label, forger(one), one.split, sha256_of(one)) for one in entries)
        assert found == expected(rows, layout), layout


def test_tables_keep_groups_and_twins_and_the_others_have_the_rows_beside_them(built: Path) -> None:
    rows = rows_of(built)
    by_path = {row["path"]: row for row in rows}
    twins = {row["sha256"]: by_path[row["twin_of"]]["sha256"] for row in rows if row["label"] == "fake"}
    groups = {row["sha256"]: row["group"] for row in rows}
    for layout in TABLES:
        entries = {entry.key: entry for entry in read(built / "layouts" / layout)}
        assert {sha256_of(one): one.group for one in entries.values()} == groups, layout
        tied = {sha256_of(one): sha256_of(entries[one.twin_of]) for one in entries.values() if one.twin_of}
        assert tied == twins, layout
    for layout in LAYOUTS:
        held = list(read_items(built / "layouts" / layout))
        assert {row["id"] for row in held} == {row["id"] for row in rows}
        for row in held:
            same = by_path[row["path"]]
            assert row["chain"] == same["chain"]
            if "file" in row:
                file = built / "layouts" / layout / row["file"]
                assert hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]


def test_masks_go_along_where_a_layout_has_a_place_for_them(built: Path) -> None:
    rows = rows_of(built)
    masks = Counter((built / row["mask"]).read_bytes() for row in rows if row.get("mask"))
    assert masks
    for layout in WITH_MASKS:
        entries = read(built / "layouts" / layout)
        found = Counter(entry.mask.read_bytes() for entry in entries if entry.mask is not None)
        assert found == masks, layout


def test_a_layout_is_written_anew_and_the_set_itself_stays(
    recipe: Recipe, build: Build, tmp_path: Path
) -> None:
    part = build(recipe, tmp_path / "set")
    before = (part / "manifest.jsonl").read_bytes()
    (part / "layouts" / "csv").mkdir(parents=True)
    (part / "layouts" / "csv" / "old.txt").write_text("of an earlier set")
    write_layouts(part, rows_of(part), ["csv"])
    assert not (part / "layouts" / "csv" / "old.txt").exists()
    assert (part / "manifest.jsonl").read_bytes() == before
    first = json.loads((part / "layouts" / "csv" / "items.jsonl").read_text().splitlines()[0])
    assert first["label"] == "real"
