"""`ImageSet`: draws follow the generator argument, crops are native, folders and sets join."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from evidence.errors import DataError
from generators.data.memory import ImageSet, decode


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _places(height: int, width: int) -> np.ndarray:
    """A picture whose red is its row and whose green is its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_the_same_generator_draws_the_same_pictures_in_minus_one_to_one() -> None:
    data = ImageSet(np.arange(5 * 3 * 3 * 1, dtype=np.uint8).reshape(5, 3, 3, 1), labels=range(5), flip=True)
    first, second, other = data.draw(16, _rng()), data.draw(16, _rng()), data.draw(16, _rng(1))
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (16, 1, 3, 3)
    assert first.labels is not None
    # The picture of label n starts at level 9 n, at its left or, mirrored, its right.
    corners = ((first.images[:, 0, 0, ::2] + 1) * 127.5).round().amin(dim=1)
    assert torch.equal(corners.long(), 9 * first.labels)


def test_flips_happen_to_half_of_the_draws() -> None:
    data = ImageSet(np.array([[[[0], [255]]]], np.uint8), flip=True)
    left = data.draw(400, _rng()).images[:, 0, 0, 0]
    assert 0.4 < (left > 0).float().mean() < 0.6


def test_crops_are_native_pixels_at_any_offset() -> None:
    data = ImageSet([_places(40, 30), _places(20, 50)], crop=16)
    pixels = ((data.draw(300, _rng()).images + 1) * 127.5).round().long()
    assert torch.equal(
        pixels[:, 0] - pixels[:, 0, :1, :1], torch.arange(16)[None, :, None].expand(300, 16, 16)
    )
    assert torch.equal(
        pixels[:, 1] - pixels[:, 1, :1, :1], torch.arange(16)[None, None, :].expand(300, 16, 16)
    )
    tops, lefts = set(pixels[:, 0, 0, 0].tolist()), set(pixels[:, 1, 0, 0].tolist())
    assert {top % 8 for top in tops} == set(range(8))  # no offset on the JPEG grid is preferred
    assert (max(tops), max(lefts)) == (24, 34)


def test_pictures_too_small_for_the_crop_are_left_out_and_none_is_an_error() -> None:
    assert len(ImageSet([_places(40, 30), _places(10, 50)], crop=16)) == 1
    with pytest.raises(DataError, match="at least 64"):
        ImageSet([_places(40, 30)], crop=64)
    with pytest.raises(DataError, match="no pictures"):
        ImageSet([])


def test_a_folder_is_read_in_order_squared_and_known_by_one_sum(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, level in (("b/two.png", 200), ("one.png", 100)):
        cv2.imwrite(str(tmp_path / name), np.full((20, 40, 3), level, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    data = ImageSet.from_folder(tmp_path, size=8)
    assert [picture[0, 0, 0] for picture in data.pictures()] == [200, 100]
    assert {picture.shape for picture in data.pictures()} == {(8, 8, 3)}
    assert list(data.sha256) == [tmp_path.name]
    cv2.imwrite(str(tmp_path / "one.png"), np.full((20, 40, 3), 101, np.uint8))
    assert ImageSet.from_folder(tmp_path, size=8).sha256 != data.sha256


def test_a_folder_without_pictures_and_a_broken_picture_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        ImageSet.from_folder(tmp_path, size=8)
    with pytest.raises(DataError, match="broken"):
        decode(b"not a picture", "broken")


def test_joined_sets_hold_the_pictures_and_the_sums_of_both() -> None:
    first = ImageSet(np.zeros((2, 4, 4, 3), np.uint8), flip=True, sha256={"a": "1"})
    second = ImageSet(np.ones((3, 4, 4, 3), np.uint8), flip=True, sha256={"b": "2"})
    joined = ImageSet.joined([first, second])
    assert (len(joined), joined.flip, joined.sha256) == (5, True, {"a": "1", "b": "2"})
    crops = ImageSet.joined([ImageSet([_places(20, 20)], crop=16), ImageSet([_places(30, 20)], crop=16)])
    assert (len(crops), crops.crop) == (2, 16)


def _picture(path: Path, value: int = 0, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 24, channels), value, np.uint8))


def test_sub_folders_are_classes_where_every_picture_lies_in_one(tmp_path: Path) -> None:
    for n, name in enumerate(("dogs/a.png", "cats/b.png", "cats/more/c.png")):
        _picture(tmp_path / name, n)
    (tmp_path / "ants").mkdir()
    data = ImageSet.from_folder(tmp_path, size=8)
    assert data.names == {"classes": ("ants", "cats", "dogs")}
    assert data.labels is not None
    assert data.labels.tolist() == [1, 1, 2]
    _picture(tmp_path / "loose.png")
    assert ImageSet.from_folder(tmp_path, size=8).labels is None


def test_pictures_of_every_mode_become_the_channels_asked_for(tmp_path: Path) -> None:
    grey = np.full((20, 24), 128, np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(grey).convert("RGBA").save(tmp_path / "alpha.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey).convert("CMYK").save(tmp_path / "print.jpg")
    Image.fromarray(grey).convert("1").save(tmp_path / "one-bit.png")
    for channels in (1, 3):
        shapes = {
            picture.shape for picture in ImageSet.from_folder(tmp_path, size=8, channels=channels).pictures()
        }
        assert shapes == {(8, 8, channels)}


def test_a_folder_with_one_picture_is_refused(tmp_path: Path) -> None:
    _picture(tmp_path / "alone.png")
    with pytest.raises(DataError, match=r"one picture, alone\.png"):
        ImageSet.from_folder(tmp_path, size=8)


def test_what_is_held_out_knows_the_part_that_is_trained_on() -> None:
    whole = ImageSet(np.zeros((2, 4, 4, 3), np.uint8))
    part = ImageSet(np.zeros((3, 4, 4, 3), np.uint8), training=lambda: whole)
    assert part.training_part() is whole
    assert whole.training_part() is whole


@pytest.mark.data
def test_the_shared_faces_and_digits_come_squared(shared_data: Path) -> None:
    faces = ImageSet.from_shard("faces-celeba", size=32, split="cal", root=shared_data)
    digits = ImageSet.from_shard("mnist", size=28, channels=1, split="test", root=shared_data)
    assert faces.draw(2, _rng()).images.shape == (2, 3, 32, 32)
    assert digits.draw(2, _rng()).images.shape == (2, 1, 28, 28)
    assert (len(faces), len(digits)) == (558, 10_000)
    assert digits.labels is not None
