"""Opens the training set a system asks for by name: a known set, several joined by "+", or a folder.

Plain pictures, with labels where the set has classes, are `memory.py`'s, from disk or through torchvision;
data of any other kind has a module of its name beside this one, with
`open_set(data, image_shape, *, split) -> TrainingData`.
"""

from __future__ import annotations

import importlib
from functools import partial
from pathlib import Path

from evidence.errors import DataError
from generators.contract import TrainingData
from generators.data import shards, vision
from generators.data.memory import Fit, ImageSet

PLAIN = ("digits", "objects", "faces", "photos")

# Writing in a mirror is no writing.
_WRITTEN = {"mnist", "MNIST", "EMNIST", "KMNIST", "QMNIST", "SVHN"}


def open_data(
    data: str, image_shape: tuple[int, int, int], *, kind: str, split: str = "train"
) -> TrainingData:
    """The part `split` of the set `data` in the shape (C, H, W) a system of this kind wants.

    Photographs are held whole and cropped at random, others are squared; everything but digits is
    mirrored at random. A folder has no parts. `torchvision:NAME:FOLDER` is a torchvision data set that
    lies in FOLDER. Raises DataError when there is no such set.
    """
    if kind in PLAIN:
        return _plain(data, image_shape, kind=kind, split=split)
    opened: TrainingData = importlib.import_module(f"generators.data.{kind}").open_set(
        data, image_shape, split=split
    )
    return opened


def _plain(data: str, image_shape: tuple[int, int, int], *, kind: str, split: str) -> ImageSet:
    channels, side, _ = image_shape
    fit: Fit = "crop" if kind == "photos" else "square"
    names = data.split("+")
    written = not _WRITTEN.isdisjoint((*names, *data.split(":")[1:2]))
    flip = kind != "digits" and not written
    if data.startswith(vision.PREFIX):
        opened = vision.load(data, size=side, channels=channels, fit=fit, flip=flip, split=split)
    elif all(name in shards.NAMES for name in names):
        sets = [
            ImageSet.from_shard(name, size=side, channels=channels, fit=fit, flip=flip, split=split)
            for name in names
        ]
        opened = ImageSet.joined(sets) if len(sets) > 1 else sets[0]
    elif Path(data).is_dir():
        return ImageSet.from_folder(Path(data), size=side, channels=channels, fit=fit, flip=flip)
    else:
        raise DataError(
            f"{data!r} is neither a picture folder nor a known data set.",
            f"Known sets: {', '.join(shards.NAMES)}; torchvision's as torchvision:NAME:FOLDER.",
        )
    if split != "train":
        opened.training = partial(_plain, data, image_shape, kind=kind, split="train")
    return opened
