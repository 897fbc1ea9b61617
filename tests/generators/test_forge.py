"""A forged twin shares everything with its real but what the decoder left in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import DataError
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg, read_history
from evidence.medium import Pixels
from generators.data.shards import Item
from generators.delivery import GRID, deliver, png, soft_region
from generators.forge import ForgeOptions, Order, Rebuilding, forge_twins, some_of
from generators.systems.reconstruction import MEMBERS, ReconstructionGAN
from generators.training import checkpoint
from generators.twins import Family, Member

SEEN = [Member(f"seen-{n}", "nearest", "nearest", 2) for n in range(4)]
INLINE = ForgeOptions(partial=0.0, processes=1)


def checkered(name: str, pixels: Pixels) -> Pixels:
    """A decoder whose fingerprint is easy to find: every other pixel is lighter."""
    forged = pixels.astype(int)
    forged[::2, ::2] += 8
    return np.clip(forged, 0, 255).astype(np.uint8)


CHECKERED = Rebuilding(checkered)


def orders_for(items: Sequence[Item]) -> list[Order]:
    return [Order(item, some_of(item, SEEN, 2)) for item in items]


@pytest.fixture
def make_item(make_photo: Callable[..., Pixels]) -> Callable[..., Item]:
    def make(key: str, split: str = "train", height: int = 96, width: int = 128, **how: Any) -> Item:
        pixels = make_photo(height, width, 3)
        data = png(pixels) if how.get("lossless") else encode_jpeg(pixels, 82, how.get("sampling", "4:2:0"))
        return Item(key, "album", split, key, data)

    return make


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_a_twin_has_the_size_tables_and_sampling_of_its_real(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    item = make_item("a", sampling="4:4:4")
    forge_twins(orders_for([item]), CHECKERED, tmp_path, INLINE)
    real, *fakes = rows_of(tmp_path)
    assert (tmp_path / real["path"]).read_bytes() == item.data
    assert real["as_published"]
    assert len(fakes) == 2
    for fake in fakes:
        data = (tmp_path / fake["path"]).read_bytes()
        assert read_history(data) == read_history(item.data)
        assert (fake["width"], fake["height"], fake["quality"]) == (128, 96, real["quality"])
        assert (fake["twin_of"], fake["group"], fake["split"]) == (real["path"], "a", "train")
        pixels = decode_image(data)[1].astype(int)
        original = decode_image(item.data)[1].astype(int)
        assert (pixels - original)[::2, ::2].mean() > 3 + (pixels - original)[1::2, 1::2].mean()


def test_a_lossless_real_has_lossless_twins(make_item: Callable[..., Item], tmp_path: Path) -> None:
    forge_twins(orders_for([make_item("a", lossless=True)]), CHECKERED, tmp_path, INLINE)
    assert {Path(row["path"]).suffix for row in rows_of(tmp_path)} == {".png"}
    assert {row["quality"] for row in rows_of(tmp_path)} == {None}


def test_members_are_spread_evenly_over_pictures_and_the_same_again(make_item: Callable[..., Item]) -> None:
    items = [make_item(f"t{n}") for n in range(60)]
    chosen = [some_of(item, SEEN, 2) for item in items]
    assert chosen == [some_of(item, SEEN, 2) for item in items]
    assert {len(set(members)) for members in chosen} == {2}
    shares = Counter(member.name for members in chosen for member in members)
    # Of 120 draws each of 4 members has 30, give or take four standard deviations of sqrt(60 / 4).
    assert all(14 < share < 46 for share in shares.values())


def test_a_picture_under_a_treatment_is_another_real_of_the_same_group(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    item = make_item("a")
    orders = [Order(item, (SEEN[0],)), Order(item, (SEEN[0],), "collage")]
    forge_twins(orders, CHECKERED, tmp_path, INLINE)
    rows = rows_of(tmp_path)
    assert [row["treatment"] for row in rows] == ["", "", "collage", "collage"]
    assert len({row["path"] for row in rows}) == 4
    assert {row["group"] for row in rows} == {"a"}
    assert [row["kind"] for row in rows] == [None, "reconstruction"] * 2


def test_outside_its_mask_a_partial_twin_is_the_real_to_the_bit(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    options = replace(INLINE, partial=1.0)
    items = [make_item(f"p{n}", lossless=True) for n in range(4)]
    forge_twins(orders_for(items), CHECKERED, tmp_path, options)
    fakes = [row for row in rows_of(tmp_path) if row["label"] == "fake"]
    assert len(fakes) == 8
    for row in fakes:
        real, fake = (decode_image((tmp_path / row[side]).read_bytes())[1] for side in ("twin_of", "path"))
        mask = decode_image((tmp_path / row["mask"]).read_bytes())[1][..., 0]
        assert set(np.unique(mask)) == {0, 255}
        changed = (real != fake).any(axis=2)
        # The soft edge reaches at most 16 pixels, four times its widest blur.
        near = cv2.dilate(mask, np.ones((33, 33), np.uint8)) > 0
        assert changed[mask > 0].mean() > 0.5
        assert not changed[~near].any()


@pytest.mark.parametrize("seed", range(8))
def test_a_region_covers_ten_to_fifty_percent(seed: int) -> None:
    alpha = soft_region(np.random.default_rng(seed), 150, 200)
    assert 0.08 < (alpha >= 0.5).mean() < 0.55
    assert alpha.max() <= 1


def test_a_crop_lies_on_the_grid_and_both_sides_are_delivered_as_it(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    item = make_item("a", height=160, width=240)
    forge_twins(orders_for([item]), CHECKERED, tmp_path, replace(INLINE, crop=96))
    rows = rows_of(tmp_path)
    assert {(row["width"], row["height"], row["as_published"]) for row in rows} == {(96, 96, False)}
    assert len({read_history((tmp_path / row["path"]).read_bytes()) for row in rows}) == 1
    # Cut on the grid and written with its own tables, a JPEG hardly changes: the crop is found again.
    whole = decode_image(item.data)[1].astype(int)
    crop = deliver(item.data, 96, np.random.default_rng(0)).data
    found = decode_image(crop)[1].astype(int)
    differences = [
        np.abs(whole[y : y + 96, x : x + 96] - found).mean()
        for y in range(0, 65, GRID)
        for x in range(0, 145, GRID)
    ]
    assert min(differences) < 1 < sorted(differences)[1]


def test_an_interrupted_forge_goes_on_and_ends_the_same(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    items = [make_item(f"k{n}") for n in range(3)]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    forge_twins(orders_for(items), CHECKERED, whole, INLINE)
    # Given a forge that was killed while it wrote the second real's rows
    forge_twins(orders_for(items[:1]), CHECKERED, broken, INLINE)
    with (broken / "manifest.jsonl").open("a") as stream:
        stream.write('{"path": "real/alb')
    # When it is run again
    forge_twins(orders_for(items), CHECKERED, broken, INLINE)
    # Then nothing is missing, doubled or different
    assert rows_of(broken) == rows_of(whole)
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.jpg"))
    assert all((whole / path).read_bytes() == (broken / path).read_bytes() for path in files)
    assert len(files) == 9


def test_worker_processes_forge_what_one_process_forges(
    make_item: Callable[..., Item], tmp_path: Path
) -> None:
    items = [make_item(f"w{n}") for n in range(3)]
    forge_twins(orders_for(items), CHECKERED, tmp_path / "one", INLINE)
    forge_twins(orders_for(items), CHECKERED, tmp_path / "two", replace(INLINE, processes=2))
    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "two")


def test_trained_members_rebuild_at_native_size(tmp_path: Path, make_photo: Callable[..., Pixels]) -> None:
    model = ReconstructionGAN(MEMBERS["transposed-k4s2-x2"])
    settled = checkpoint.configuration(model, seed=0, sha256={})
    for name in ("some", "unfinished"):
        checkpoint.begin(tmp_path / name, settled, resume=False)
        state = {"model": model.state_dict(), "ema": model.generator.state_dict()}
        checkpoint.save(tmp_path / name, state)
    checkpoint.write_text(tmp_path / "some" / checkpoint.RECORD, json.dumps({"config": settled["config"]}))
    family = Family(tmp_path)
    assert family.members() == [Member("some", "transposed-k4s2", "transposed-k4s2", 2)]
    twin = family("some", make_photo(75, 101, 1))
    assert (twin.shape, twin.dtype) == ((75, 101, 3), np.uint8)
    with torch.inference_mode():
        assert not np.array_equal(twin, family("some", make_photo(75, 101, 2)))


def test_a_folder_without_decoders_says_how_to_train_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no trained decoder"):
        Family(tmp_path).members()
