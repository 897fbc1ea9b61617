"""Data sets by name: torchvision's with their own parts, writing never mirrored, bad names explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence.errors import DataError
from generators.data.memory import ImageSet
from generators.data.opening import open_data

pytest.importorskip("torchvision")


def _mnist(folder: Path, *, train: int = 16, test: int = 4) -> Path:
    """Files such as torchvision's MNIST reads: picture n is of level n."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        levels = np.arange(count, dtype=np.uint8)
        _idx(raw / f"{part}-images-idx3-ubyte", np.broadcast_to(levels[:, None, None], (count, 28, 28)))
        _idx(raw / f"{part}-labels-idx1-ubyte", levels % 10)
    return folder


def _idx(path: Path, array: np.ndarray) -> None:
    axes = b"".join(length.to_bytes(4, "big") for length in array.shape)
    path.write_bytes(bytes((0, 0, 8, array.ndim)) + axes + array.tobytes())


def _opened(data: str, split: str = "train", kind: str = "objects") -> ImageSet:
    opened = open_data(data, (1, 8, 8), kind=kind, split=split)
    assert isinstance(opened, ImageSet)
    return opened


def test_a_torchvision_set_keeps_its_test_part_and_one_in_eight_is_cal(tmp_path: Path) -> None:
    data = f"torchvision:MNIST:{_mnist(tmp_path)}"
    parts = {
        split: [int(p[0, 0, 0]) for p in _opened(data, split).pictures()]
        for split in ("train", "cal", "test")
    }
    assert parts["cal"] == [7, 15]
    assert parts["train"] == [n for n in range(16) if n % 8 != 7]
    assert parts["test"] == [0, 1, 2, 3]
    assert len(_opened(data, "test").training_part()) == 14
    names = _opened(data).names["classes"]
    assert (len(names), names[3]) == (10, "3 - three")


def test_a_torchvision_set_without_parts_is_split_in_three(tmp_path: Path) -> None:
    for n in range(16):
        (tmp_path / "ab"[n % 2]).mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), (n, n, n)).save(tmp_path / "ab"[n % 2] / f"{n:02d}.png")
    counts = [
        len(_opened(f"torchvision:ImageFolder:{tmp_path}", split)) for split in ("train", "cal", "test")
    ]
    assert counts == [12, 2, 2]
    assert _opened(f"torchvision:ImageFolder:{tmp_path}").names["classes"] == ("a", "b")


def test_writing_is_never_mirrored_and_objects_are(tmp_path: Path) -> None:
    assert not _opened(f"torchvision:MNIST:{_mnist(tmp_path)}").flip
    for n in range(2):
        Image.new("RGB", (9, 9), (n, n, n)).save(tmp_path / f"{n}.png")
    assert _opened(str(tmp_path)).flip
    assert not _opened(str(tmp_path), kind="digits").flip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nowhere", "torchvision:NAME:FOLDER"),
        ("torchvision:NoSuchSet:x", "names no data set"),
        ("torchvision:MNIST", "torchvision:MNIST names no data set"),
        ("torchvision:MNIST:nowhere", "in nowhere: Dataset not found. Download"),
        ("torchvision:MNIST:nowhere", "Download it there first"),
    ],
)
def test_a_set_that_is_not_there_is_explained(data: str, message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        _opened(data)
