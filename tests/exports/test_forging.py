"""The fakes of the forge are delivered as their reals are, masked where made, and read by the detector."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.readers import read
from evidence.errors import DataError, MediaError, UsageError
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from exports.conditions import any_caption
from exports.forging import forge, reals_in
from exports.registry import SHIPPED, Registry
from exports.slots import slot_of, slots_in
from generators.text.vocabulary import split
from generators.text.wording import face_caption
from tests import tiny_generators

SIZES = ((80, 112), (96, 64), (120, 120))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("models")
    tiny_generators.install(folder)
    return Registry([folder])


@pytest.fixture
def reals(tmp_path: Path) -> Path:
    """Three JPEGs of three sizes and qualities."""
    folder = tmp_path / "reals"
    folder.mkdir()
    for number, (height, width) in enumerate(SIZES):
        pixels = np.random.default_rng(number).integers(60, 180, (height, width, 3), np.uint8)
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(pixels, 70 + 10 * number))
    return folder


def forged(models: Registry, reals: Path, out: Path, **options: Any) -> list[dict[str, Any]]:
    forge(reals_in(reals), models.of_kind("generator"), out, **options)
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_every_generator_forges_every_real_in_its_size_and_with_its_tables(
    models: Registry, reals: Path, tmp_path: Path
) -> None:
    rows = forged(models, reals, tmp_path / "out")
    originals = {row["key"]: decode_image(tmp_path / "out" / row["path"]) for row in rows[:3]}
    fakes = [row for row in rows if row["label"] == "fake"]
    assert len(fakes) == 3 * len(models.of_kind("generator"))
    for row in fakes:
        info, pixels = decode_image(tmp_path / "out" / row["path"])
        assert pixels.shape == originals[row["key"]][1].shape
        assert info.jpeg == originals[row["key"]][0].jpeg
        assert row["group"] == row["key"]
        if row.get("mask"):
            assert decode_image(tmp_path / "out" / row["mask"])[1].shape == pixels.shape
    masked = {row["generator"] for row in fakes if row.get("mask")}
    assert masked == {"filler", "extender", "smiler", "turner"}
    twins = {row["generator"] for row in fakes if row["twin_of"]}
    assert twins == masked | {"mirror"}


def test_the_detectors_reader_finds_labels_masks_and_splits(
    models: Registry, reals: Path, tmp_path: Path
) -> None:
    forged(models, reals, tmp_path / "out")
    entries = read(tmp_path / "out")
    assert sum(entry.label == "real" for entry in entries) == 3
    assert all(entry.mask is None or entry.mask.is_file() for entry in entries)
    splits: dict[str, set[str]] = {}
    for entry in entries:
        splits.setdefault(entry.group, set()).add(entry.split)
    assert all(len(found) == 1 for found in splits.values())


def test_a_forge_that_was_interrupted_goes_on_and_ends_the_same(
    models: Registry, reals: Path, tmp_path: Path
) -> None:
    class Stop(Exception):
        pass

    def stop(row: dict[str, Any], pixels: Pixels | None) -> None:
        if row["path"].startswith("fake/shades/1."):
            raise Stop

    whole = forged(models, reals, tmp_path / "whole")
    with pytest.raises(Stop):
        forged(models, reals, tmp_path / "half", on_file=stop)
    again = forged(models, reals, tmp_path / "half")
    assert [row["sha256"] for row in again] == [row["sha256"] for row in whole]
    assert len({row["path"] for row in again}) == len(again)


def test_the_seed_decides_every_byte_and_stands_in_every_row(
    models: Registry, reals: Path, tmp_path: Path
) -> None:
    first, again, other = (
        forged(models, reals, tmp_path / name, seed=seed) for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    assert [row["sha256"] for row in first] == [row["sha256"] for row in again]
    assert {row["seed"] for row in first} == {5}
    conditions = ("class", "caption", "expression", "yaw", "index")
    asked = [[{name: row.get(name) for name in conditions} for row in rows] for rows in (first, other)]
    assert asked[0] != asked[1]
    changed = {
        row["generator"]
        for row, twin in zip(first, other, strict=True)
        if row["label"] == "fake" and row["sha256"] != twin["sha256"]
    }
    assert {"dots", "filler", "extender", "turner"} <= changed  # latents, masks and conditions


def test_a_folder_of_another_seed_is_refused_instead_of_being_taken_for_this_ones(
    models: Registry, reals: Path, tmp_path: Path
) -> None:
    forged(models, reals, tmp_path / "out", seed=5)
    before = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    with pytest.raises(UsageError, match="holds forgeries of seed 5; this is seed 6"):
        forged(models, reals, tmp_path / "out", seed=6)
    assert (tmp_path / "out" / "manifest.jsonl").read_bytes() == before


def test_captions_at_random_are_worded_as_the_shipped_models_learned_them() -> None:
    drawn = {face_caption(np.random.default_rng(seed)) for seed in range(2000)}
    assert len(drawn) == 3 * 3 * 3 * 3
    assert "a photo of a person who is smiling, facing the camera, with the mouth closed" in drawn
    said = {word for caption in drawn for word in split(caption)}
    models = [entry for entry in Registry([SHIPPED]) if entry.name in ("attngan-faces", "tac-gan-faces")]
    assert models
    for entry in models:
        slot = slot_of(slots_in(entry), "tokens")
        assert slot is not None
        assert said <= set(slot.names)
        assert any_caption(slot, np.random.default_rng(0)) in drawn
        other = replace(slot, names=("", "?", "bird"))
        assert set(split(any_caption(other, np.random.default_rng(0)))) == {"bird"}


def test_a_broken_real_is_named_and_left_out(models: Registry, reals: Path, tmp_path: Path) -> None:
    (reals / "9.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    failed: list[tuple[Path, MediaError]] = []
    rows = forged(models, reals, tmp_path / "out", on_failed=lambda path, error: failed.append((path, error)))
    assert [path.name for path, _ in failed] == ["9.png"]
    assert {row["key"] for row in rows} == {"0", "1", "2"}


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        reals_in(tmp_path)


def test_reals_are_spread_over_the_folder_and_equal_names_stay_apart(reals: Path) -> None:
    assert [real.stem for real in reals_in(reals, 2)] == ["0", "1"]
    (reals / "0.png").write_bytes((reals / "0.jpg").read_bytes())
    assert [real.stem for real in reals_in(reals)] == ["0_jpg", "0_png", "1", "2"]
