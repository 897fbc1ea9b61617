"""Pairs of a source and the photograph it belongs to, for pix2pix: label maps, edges, or a user's own.

`camvid` is street photographs with label maps, drawn in the colours of `CAMVID` (those of SegNet's
released tools). Its test frames come from a drive that gave training frames too, so they are neighbours
in time. `bsds-edges` is photographs with the boundaries that people drew, black on white. A folder holds
either `A` (sources) and `B` (photographs) with files of the same names, or pictures twice as wide as
high, the source on the left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.memory import decode
from generators.data.views import pictures_of, read, room, scaled, to_tensor, view

SETS = ("camvid", "bsds-edges")

CAMVID: dict[str, tuple[int, int, int]] = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
    "unlabelled": (0, 0, 0),
}

Pair = tuple[Pixels, Pixels]  # source and photograph (H, W, 3), of one size


class PairSet:
    """Pairs held in memory; `images` of a draw are the photographs, `extra["condition"]` their sources.

    `jitter` is that of `views.py`, the same for both pictures; `flat` sources keep their exact colours.
    `reference` is the train part beside a held-out one, for judges that learn from real pairs.
    """

    names: Mapping[str, tuple[str, ...]] = {}

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        size: int,
        jitter: bool,
        flat: bool = False,
        sha256: dict[str, str] | None = None,
        reference: PairSet | None = None,
    ) -> None:
        if len(pairs) < 2:
            raise DataError(
                f"There is {len(pairs) or 'no'} pair to learn from.", "Give at least two pairs of pictures."
            )
        self.size, self.jitter, self.sha256 = size, jitter, sha256 or {}
        self.reference = self if reference is None else reference
        shorter = room(size, jitter=jitter)
        self.pairs = [(scaled(source, shorter, flat=flat), scaled(photo, shorter)) for source, photo in pairs]

    def __len__(self) -> int:
        return len(self.pairs)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` pairs with replacement, each (count, 3, size, size) in [-1, 1] on `device`."""
        chosen = torch.randint(len(self.pairs), (count,), generator=rng).tolist()
        places = torch.rand(count, 3, generator=rng).tolist()
        views = [
            view(np.concatenate(self.pairs[index], axis=2), self.size, place if self.jitter else None)
            for index, place in zip(chosen, places, strict=True)
        ]
        both = to_tensor(views).to(device)  # (B, 6, S, S)
        source, images = both[:, :3].contiguous(), both[:, 3:].contiguous()
        return Batch(images, extra={"condition": source})


def open_set(data: str, image_shape: tuple[int, int, int], *, split: str) -> PairSet:
    """The part `split` of "camvid", "bsds-edges" or a folder, which has no parts; DataError if none."""
    size = image_shape[1]
    if data in SETS:
        reference = None if split == "train" else open_set(data, image_shape, split="train")
        pairs, sha256 = _camvid(split) if data == "camvid" else _edges(split)
        return PairSet(
            pairs,
            size=size,
            jitter=split == "train",
            flat=data == "camvid",
            sha256=sha256,
            reference=reference,
        )
    if not Path(data).is_dir():
        raise DataError(
            f"{data!r} is neither a folder nor a set of pairs.", f"Known sets: {', '.join(SETS)}."
        )
    pairs, sha256 = _folder(Path(data))
    return PairSet(pairs, size=size, jitter=split == "train", sha256=sha256)


def _camvid(split: str) -> tuple[list[Pair], dict[str, str]]:
    colours = np.array(list(CAMVID.values()), np.uint8)
    pairs = []
    for item in shards.load("camvid", split):
        assert item.pair is not None
        classes = cv2.imdecode(np.frombuffer(item.pair, np.uint8), cv2.IMREAD_UNCHANGED)
        pairs.append((colours[classes], decode(item.data, item.key)))
    return pairs, shards.sha256_of("camvid")


def _edges(split: str) -> tuple[list[Pair], dict[str, str]]:
    drawn = {item.meta["photo"]: item for item in shards.load("bsds-edges", split)}
    pairs = []
    for photo in shards.load("photos"):
        item = drawn.get(photo.meta["file"])
        if item is not None:
            pairs.append((255 - decode(item.data, item.key), decode(photo.data, photo.key)))
    return pairs, shards.sha256_of("bsds-edges") | shards.sha256_of("photos")


def _folder(folder: Path) -> tuple[list[Pair], dict[str, str]]:
    sides = (folder / "A", folder / "B")
    digest = hashlib.sha256()
    if all(side.is_dir() for side in sides):
        files = [{path.stem: path for path in pictures_of(side)} for side in sides]
        alone = sorted(files[0].keys() ^ files[1].keys())
        if alone:
            raise DataError(
                f"{len(alone)} pictures of {folder} have no partner: {', '.join(alone[:5])}.",
                "Every picture of A needs one of the same name in B.",
            )
        pairs = [(read(files[0][name], digest), read(files[1][name], digest)) for name in sorted(files[0])]
        for name, (source, photo) in zip(sorted(files[0]), pairs, strict=True):
            if source.shape != photo.shape:
                raise DataError(
                    f"The pair {name} is {_size(source)} in A and {_size(photo)} in B.",
                    "Both pictures of a pair must have one size.",
                )
        return pairs, {folder.name: digest.hexdigest()}
    pairs = []
    for path in pictures_of(folder):
        both = read(path, digest)
        side = both.shape[0]
        if both.shape[1] != 2 * side:
            raise DataError(
                f"{path} is {_size(both)}, not a source and a picture of one square size side by side.",
                "Join them so, or put sources into A and pictures of the same names into B.",
            )
        pairs.append((both[:, :side], both[:, side:]))
    return pairs, {folder.name: digest.hexdigest()}


def _size(picture: Pixels) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
