"""Shards: splits follow the group, pixels arrive whole, missing data says what to do."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence.errors import DataError
from generators.data import shards


def _write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


@pytest.fixture
def mnist_root(tmp_path: Path) -> Path:
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 6)):
        _write_idx(folder / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 28, 28), np.uint8))
        _write_idx(folder / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, count).astype(np.uint8))
    return tmp_path


@pytest.fixture
def lfw_root(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    rows = [
        {"key": f"{person}_{n}", "file": f"{person}_{n}.jpg", "person": person, "split": "train"}
        for person in (f"p{i}" for i in range(40))
        for n in range(2)
    ]
    members = {"index.jsonl": "\n".join(json.dumps(row) for row in rows).encode()}
    members |= {row["file"]: row["key"].encode() for row in rows}
    with tarfile.open(folder / "faces-lfw-0000.tar", "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return tmp_path


def test_both_pictures_of_a_person_stand_on_one_side(lfw_root: Path) -> None:
    sides: dict[str, set[str]] = {}
    for item in shards.load("faces-lfw", root=lfw_root):
        sides.setdefault(item.group, set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    assert {"train", "cal"} == set.union(*sides.values())


def test_the_three_splits_together_are_the_whole_set(mnist_root: Path) -> None:
    keys = [item.key for split in shards.SPLITS for item in shards.load("mnist", split, mnist_root)]
    assert sorted(keys) == sorted(item.key for item in shards.load("mnist", root=mnist_root))
    assert len(list(shards.load("mnist", "test", mnist_root))) == 6


def test_the_png_of_a_digit_holds_the_pixels_of_the_array(mnist_root: Path) -> None:
    pixels, labels = shards.arrays("mnist", "test", mnist_root)
    item = next(shards.load("mnist", "test", mnist_root))
    decoded = cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(decoded, pixels[0, ..., 0])
    assert item.meta["label"] == labels[0]


def test_a_missing_folder_and_an_unknown_name_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA", str(tmp_path / "absent"))
    with pytest.raises(DataError, match="TOUCHSTONE_DATA"):
        shards.data_root()
    with pytest.raises(DataError, match="Known sets"):
        next(shards.load("imagenet", root=tmp_path))
    with pytest.raises(DataError, match="lacks"):
        next(shards.load("photos", root=tmp_path))


@pytest.mark.data
def test_the_real_sets_have_their_documented_counts(shared_data: Path) -> None:
    counts = {name: sum(1 for _ in shards.load(name, root=shared_data)) for name in ("photos", "faces-lfw")}
    assert counts == {"photos": 1113, "faces-lfw": 4335}
    assert sum(1 for item in shards.load("camvid", root=shared_data) if item.pair) == 468
