"""The shared data sets by name: original bytes with their key, group and split, from tar, npz or idx.

Splits are decided by group (the person of an LFW face, else the picture itself), so nobody stands on
two sides. The stored `val` part is our `test`; one group in eight of the stored `train` part is `cal`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.errors import DataError

SPLITS = ("train", "cal", "test")

_FILES: dict[str, tuple[str, ...]] = {
    "photos": ("photos/photos-0000.tar", "photos/photos-0001.tar", "photos/photos-0002.tar"),
    "photos-lossless": ("photos/photos-lossless.tar",),
    "faces-lfw": ("faces/faces-lfw-0000.tar",),
    "faces-celeba": ("faces/faces-celeba-0000.npz",),
    "captions": ("captions/captions-flickr8k.tar",),
    "camvid": ("pairs/pairs-camvid.tar",),
    "bsds-edges": ("pairs/pairs-bsds-edges.tar",),
    "horse2zebra": ("unpaired/unpaired-horse2zebra.tar",),
    "cifar10": ("cifar10/cifar10-jpeg.npz",),
    **{
        name: (
            f"{name}/train-images-idx3-ubyte.gz",
            f"{name}/train-labels-idx1-ubyte.gz",
            f"{name}/t10k-images-idx3-ubyte.gz",
            f"{name}/t10k-labels-idx1-ubyte.gz",
        )
        for name in ("mnist", "fashion")
    },
}

NAMES = tuple(_FILES)
# The share of the central square that shows the face: at 95 of 250 pixels in LFW, at 60 of 89 in CelebA.
CENTRE = {"faces-lfw": 0.6, "faces-celeba": 0.8}


@dataclass(frozen=True)
class Item:
    """One picture: its encoded bytes as stored, and what is known of it.

    `split` is "train", "cal" or "test" as `split_of` gives it; `meta` is the row of the shard's index,
    with the stored split. `pair` holds the second picture's bytes where the set has pairs.
    """

    key: str
    source: str
    split: str
    group: str
    data: bytes = field(repr=False)
    meta: dict[str, Any] = field(default_factory=dict, repr=False)
    pair: bytes | None = field(default=None, repr=False)


def data_root() -> Path:
    """The folder of the shared data: TOUCHSTONE_DATA, or `../shared/data` beside the repository."""
    setting = os.environ.get("TOUCHSTONE_DATA")
    root = Path(setting) if setting else Path(__file__).resolve().parents[3] / "shared" / "data"
    if not root.is_dir():
        raise DataError(
            f"The training data folder {root} does not exist.",
            "Set TOUCHSTONE_DATA to the folder that holds mnist/, photos/ and faces/.",
        )
    return root


def load(name: str, split: str | None = None, root: Path | None = None) -> Iterator[Item]:
    """The items of the set `name`, in stored order; `split` keeps one of "train", "cal", "test"."""
    if split is not None and split not in SPLITS:
        raise DataError(f"There is no split {split!r}.", f"Choose one of {', '.join(SPLITS)}.")
    for item in _read(name, root):
        item = replace(item, split=split_of(item))
        if split is None or item.split == split:
            yield item


def there(name: str, root: Path | None = None) -> bool:
    """Whether every file of the set `name` is there."""
    try:
        return bool(_paths(name, root))
    except DataError:
        return False


def split_of(item: Item) -> str:
    """ "test" for the stored val part; of the stored train part, "cal" for one group in eight."""
    return _split(item.meta["split"], item.group)


def arrays(
    name: str, split: str | None = None, root: Path | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (N, 28, 28, 1) uint8 and labels (N,) of "mnist" or "fashion"."""
    pixels, labels = [], []
    for stored, key, picture, label in _idx_rows(name, root):
        if split is None or _split(stored, key) == split:
            pixels.append(picture)
            labels.append(label)
    return np.stack(pixels)[..., None], np.asarray(labels, np.int64)


def sha256_of(name: str, root: Path | None = None) -> dict[str, str]:
    """The sha256 of each file the set `name` is read from, by its path under the data folder."""
    digests = {}
    for path in _paths(name, root):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        digests[f"{path.parent.name}/{path.name}"] = digest
    return digests


def _split(stored: str, group: str) -> str:
    if stored == "val":
        return "test"
    return "cal" if int(hashlib.sha1(f"cal:{group}".encode()).hexdigest(), 16) % 8 == 0 else "train"


def _paths(name: str, root: Path | None) -> list[Path]:
    if name not in _FILES:
        raise DataError(f"There is no data set {name!r}.", f"Known sets: {', '.join(NAMES)}.")
    base = data_root() if root is None else root
    paths = [base / file for file in _FILES[name]]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"The data set {name!r} lacks {', '.join(missing)}.", "Complete the data folder.")
    return paths


def _read(name: str, root: Path | None) -> Iterator[Item]:
    paths = _paths(name, root)
    if paths[0].suffix == ".tar":
        for path in paths:
            yield from _tar_items(name, path)
    elif paths[0].suffix == ".npz":
        yield from _packed_items(name, paths[0])
    else:
        yield from _idx_items(name, root)


def _tar_items(name: str, path: Path) -> Iterator[Item]:
    with tarfile.open(path) as tar:
        for line in _member(tar, "index.jsonl").splitlines():
            row = json.loads(line)
            yield Item(
                key=row["key"],
                source=row.get("source", name),
                split=row["split"],
                group=row.get("person", row["key"]),
                data=_member(tar, row["file"]),
                meta=row,
                pair=_member(tar, row["file_b"]) if "file_b" in row else None,
            )


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise DataError(
            f"The member {name} of a shard is no file.", "Fetch the shard again and check its sha256."
        )
    return stream.read()


def _packed_items(name: str, path: Path) -> Iterator[Item]:
    with np.load(path) as packed:
        blob, offsets, keys, val = (packed[part] for part in ("blob", "offset", "key", "val"))
        labels = packed["label"] if "label" in packed.files else None
        classes = packed["classes"] if "classes" in packed.files else None
    for index, key in enumerate(keys):
        meta: dict[str, Any] = {"split": "val" if val[index] else "train"}
        if labels is not None and classes is not None:
            meta |= {"label": int(labels[index]), "class": str(classes[labels[index]])}
        data = blob[offsets[index] : offsets[index + 1]].tobytes()
        yield Item(str(key), name, meta["split"], str(key), data, meta)


def _idx_items(name: str, root: Path | None) -> Iterator[Item]:
    for stored, key, picture, label in _idx_rows(name, root):
        data = cv2.imencode(".png", picture)[1].tobytes()
        yield Item(key, name, stored, key, data, {"split": stored, "label": label})


def _idx_rows(name: str, root: Path | None) -> Iterator[tuple[str, str, NDArray[np.uint8], int]]:
    parts = [_idx(path) for path in _paths(name, root)]
    for stored, pictures, labels in (("train", parts[0], parts[1]), ("val", parts[2], parts[3])):
        for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            yield stored, f"{name}-{stored}-{index:05d}", picture, int(label)


def _idx(path: Path) -> NDArray[np.uint8]:
    # The count stands in the header: two zero bytes, type 8, number of axes, then one uint32 an axis.
    content = gzip.decompress(path.read_bytes())
    axes = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(content[3])]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(axes)).reshape(axes)
