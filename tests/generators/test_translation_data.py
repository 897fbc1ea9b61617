"""Pairs and unpaired domains: what a draw holds, how windows lie, what is refused and in which words."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import DataError
from generators.data import pairs, unpaired
from generators.data.pairs import PairSet
from generators.data.unpaired import UnpairedSet
from generators.data.views import scaled, view
from generators.metrics.judges import colours_of, in_parts, nearest, train_domains, train_labels

SHAPE = (3, 16, 16)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _write(path: Path, height: int = 24, width: int = 24, seed: int = 0) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    cv2.imwrite(str(path), pixels[..., ::-1])
    return pixels


def _places(height: int, width: int) -> np.ndarray:
    """A picture whose red is its row and whose green is its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_a_window_is_native_pixels_at_its_place_and_mirrored_below_a_half() -> None:
    picture = _places(30, 20)
    assert np.array_equal(view(picture, 10, (0.0, 0.0, 0.7)), picture[:10, :10])
    assert np.array_equal(view(picture, 10, (0.999, 0.999, 0.7)), picture[20:, 10:])
    assert np.array_equal(view(picture, 10, (0.0, 0.0, 0.2)), picture[:10, :10][:, ::-1])
    assert np.array_equal(view(picture, 10, None), picture[10:20, 5:15])


def test_scaling_brings_the_shorter_side_and_flat_sources_keep_their_colours() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 31:] = (255, 10, 20)
    assert scaled(picture, 16).shape == (16, 24, 3)
    flat = scaled(picture, 16, flat=True)
    assert {tuple(colour) for colour in flat.reshape(-1, 3).tolist()} == {(0, 0, 0), (255, 10, 20)}
    assert len(np.unique(scaled(picture, 16).reshape(-1, 3), axis=0)) > 2


def test_source_and_picture_of_a_pair_are_seen_through_the_same_window() -> None:
    same = [(picture, 255 - picture) for picture in (_places(30, 40), _places(40, 30))]
    batch = PairSet(same, size=16, jitter=True).draw(32, _rng())
    assert batch.images.shape == (32, 3, 16, 16)
    # Levels are rounded once after scaling either picture.
    assert (batch.images + batch.extra["condition"]).abs().max() <= 2 / 127.5
    assert len(batch.images.flatten(1).unique(dim=0)) > 16  # windows differ


def test_a_held_out_pair_is_always_seen_alike() -> None:
    data = PairSet([(_places(16, 16), _places(16, 16))] * 2, size=16, jitter=False)
    first, second = data.draw(4, _rng()), data.draw(4, _rng(1))
    assert torch.equal(first.images, second.images)


def test_draws_follow_the_generator() -> None:
    pictures = [_places(30, 40), 255 - _places(30, 40)]
    data = UnpairedSet(pictures, pictures, size=16, jitter=True)
    first, second, other = (data.draw(8, _rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.extra["other"], second.extra["other"])
    assert not torch.equal(first.images, other.images)


def test_the_first_domain_is_translated_and_the_second_is_made() -> None:
    black, white = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)
    batch = UnpairedSet([black] * 2, [white] * 3, size=16, jitter=True, domains=("night", "day")).draw(
        4, _rng()
    )
    assert float(batch.extra["other"].max()) == -1
    assert float(batch.images.min()) == 1


def test_a_zoomed_set_sees_a_share_of_each_side() -> None:
    pictures = [_places(64, 64)] * 2
    window = UnpairedSet(pictures, pictures, size=16, jitter=False, zoom=2).draw(1, _rng()).images
    # The middle half of a side that ran from 0 to 63.
    rows = (window[0, 0, :, 0] + 1) * 127.5
    assert (round(float(rows[0])), round(float(rows[-1]))) == (17, 47)


def test_a_folder_of_a_and_b_pairs_pictures_by_name(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path / "A" / f"{n}.png", seed=n)
        _write(tmp_path / "B" / f"{n}.jpg", seed=n)
    data = pairs.open_set(str(tmp_path), SHAPE, split="train")
    assert len(data) == 2
    assert list(data.sha256) == [tmp_path.name]
    before = data.sha256
    _write(tmp_path / "A" / "0.png", seed=7)
    assert pairs.open_set(str(tmp_path), SHAPE, split="train").sha256 != before


def test_joined_pictures_are_cut_into_source_and_picture(tmp_path: Path) -> None:
    for n in range(2):
        joined = np.zeros((20, 40, 3), np.uint8)
        joined[:, 20:] = 255
        cv2.imwrite(str(tmp_path / f"{n}.png"), joined)
    batch = pairs.open_set(str(tmp_path), SHAPE, split="test").draw(2, _rng())
    assert float(batch.extra["condition"].max()) == -1
    assert float(batch.images.min()) == 1


def test_a_pair_of_two_sizes_is_refused_by_name(tmp_path: Path) -> None:
    for n, side in enumerate((24, 30)):
        _write(tmp_path / "A" / f"street{n}.png")
        _write(tmp_path / "B" / f"street{n}.png", side, side)
    with pytest.raises(DataError, match="The pair street1 is 24x24 in A and 30x30 in B"):
        pairs.open_set(str(tmp_path), SHAPE, split="train")


def test_a_source_without_its_picture_is_refused_by_name(tmp_path: Path) -> None:
    _write(tmp_path / "A" / "one.png")
    _write(tmp_path / "B" / "two.png")
    with pytest.raises(DataError, match=r"2 pictures .* no partner: one, two"):
        pairs.open_set(str(tmp_path), SHAPE, split="train")


def test_plain_pictures_are_no_pairs(tmp_path: Path) -> None:
    _write(tmp_path / "holiday.png", 24, 30)
    with pytest.raises(DataError, match="30x24, not a source and a picture"):
        pairs.open_set(str(tmp_path), SHAPE, split="train")


def test_one_pair_is_too_few(tmp_path: Path) -> None:
    _write(tmp_path / "only.png", 20, 40)
    with pytest.raises(DataError, match="There is 1 pair"):
        pairs.open_set(str(tmp_path), SHAPE, split="train")


@pytest.mark.parametrize("kind", [pairs, unpaired])
def test_an_empty_folder_and_an_unknown_name_are_refused(kind: object, tmp_path: Path) -> None:
    open_set = kind.open_set  # type: ignore[attr-defined]
    for side in "AB":
        (tmp_path / side).mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        open_set(str(tmp_path), SHAPE, split="train")
    with pytest.raises(DataError, match="Known sets"):
        open_set("facades", SHAPE, split="train")


def test_a_domain_of_one_picture_is_too_few(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path / "A" / f"{n}.png")
    _write(tmp_path / "B" / "0.png")
    with pytest.raises(DataError, match="The domain B has 1 picture"):
        unpaired.open_set(str(tmp_path), SHAPE, split="train")


def test_a_released_layout_keeps_its_held_out_part(tmp_path: Path) -> None:
    for part, count in (("trainA", 3), ("trainB", 4), ("testA", 2), ("testB", 2)):
        for n in range(count):
            _write(tmp_path / part / f"{n}.png", seed=n)
    held_out = unpaired.open_set(str(tmp_path), SHAPE, split="test")
    assert (len(held_out), len(held_out.reference)) == (4, 7)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "A" / "0.png")
    _write(tmp_path / "B" / "0.png")
    (tmp_path / "B" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"0\.png cannot be trained on"):
        pairs.open_set(str(tmp_path), SHAPE, split="train")


def test_grey_and_transparent_pictures_become_rgb(tmp_path: Path) -> None:
    for n in range(2):
        cv2.imwrite(str(_made(tmp_path / "A") / f"{n}.png"), np.zeros((20, 20), np.uint8))
        cv2.imwrite(str(_made(tmp_path / "B") / f"{n}.png"), np.zeros((20, 20, 4), np.uint8))
    batch = pairs.open_set(str(tmp_path), SHAPE, split="train").draw(2, _rng())
    assert float(batch.extra["condition"].max()) == -1
    assert float(batch.images.min()) == 1  # transparent is white


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.data
def test_camvid_is_photographs_with_label_maps_in_the_stated_colours() -> None:
    data = pairs.open_set("camvid", (3, 64, 64), split="test")
    assert (len(data), len(data.reference)) == (101, 318)
    found = colours_of(data.draw(32, _rng()).extra["condition"])
    assert found is not None
    stated = {tuple(colour) for colour in pairs.CAMVID.values()}
    assert {tuple(colour) for colour in ((found + 1) * 127.5).round().int().tolist()} <= stated


@pytest.mark.data
def test_edges_are_dark_on_white_and_belong_to_their_photograph() -> None:
    data = pairs.open_set("bsds-edges", (3, 256, 256), split="test")
    batch = data.draw(16, _rng())
    assert float(batch.extra["condition"].mean()) > 0.5
    # Where people drew a boundary, the photograph changes more than elsewhere.
    grey = batch.images.mean(1)
    change = (grey[:, 1:, 1:] - grey[:, 1:, :-1]).abs() + (grey[:, 1:, 1:] - grey[:, :-1, 1:]).abs()
    drawn = batch.extra["condition"].mean(1)[:, 1:, 1:] < 0.5
    assert change[drawn].mean() > 1.5 * change[~drawn].mean()


@pytest.mark.data
def test_horses_and_zebras_are_the_two_domains_and_held_out_ones_are_others() -> None:
    data = unpaired.open_set("horse2zebra", (3, 64, 64), split="test")
    assert data.names["domains"] == ("horse", "zebra")
    assert (len(data), len(data.reference)) == (60, 247)
    seen = {picture.tobytes() for picture in unpaired.open_set("horse2zebra", SHAPE, split="train").first}
    assert not seen & {picture.tobytes() for picture in data.first}


def test_a_judge_of_domains_tells_them_apart_in_eval_mode() -> None:
    black, white = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)
    data = UnpairedSet([black, black + 40], [white, white - 40], size=16, jitter=False)
    judge = train_domains(data, steps=30, batch=8)
    batch = data.draw(8, _rng())
    assert (judge(batch.extra["other"]) < 0).all()
    assert (judge(batch.images) > 0).all()


def test_a_judge_of_labels_reads_the_source_back_from_the_picture() -> None:
    source = np.zeros((16, 16, 3), np.uint8)
    source[:, 8:] = (255, 0, 0)
    turned = np.ascontiguousarray(source[::-1, ::-1])
    data = PairSet([(source, 255 - source), (turned, 255 - turned)], size=16, jitter=False)
    batch = data.draw(8, _rng())
    colours = colours_of(batch.extra["condition"])
    assert colours is not None
    assert colours.tolist() == [[-1, -1, -1], [1, -1, -1]]
    judge = train_labels(data, colours, steps=40, batch=4)
    read = in_parts(judge, batch.images).argmax(1)
    # Cells of 8 pixels are interpolated, so the border may lie a few columns off.
    assert (read == nearest(batch.extra["condition"], colours)).float().mean() > 0.75


def test_pictures_of_many_colours_are_no_label_maps() -> None:
    assert colours_of(torch.rand(2, 3, 16, 16)) is None
    assert colours_of(torch.zeros(2, 3, 16, 16)) is None
