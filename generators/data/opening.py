"""Opens the training set a system asks for by name: a known set, several joined by "+", or a folder.

Plain pictures, with labels where the set has classes, are `memory.py`'s; data of any other kind has a
module of its name beside this one, with `open_set(data, image_shape, *, split) -> TrainingData`.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from evidence.errors import DataError
from generators.contract import TrainingData
from generators.data import shards
from generators.data.memory import Fit, ImageSet

PLAIN = ("digits", "objects", "faces", "photos")


def open_data(
    data: str, image_shape: tuple[int, int, int], *, kind: str, split: str = "train"
) -> TrainingData:
    """The part `split` of the set `data` in the shape (C, H, W) a system of this kind wants.

    Photographs are held whole and cropped at random, others are squared; everything but digits is
    mirrored at random. A folder has no parts. Raises DataError when there is no such set.
    """
    if kind not in PLAIN:
        opened: TrainingData = importlib.import_module(f"generators.data.{kind}").open_set(
            data, image_shape, split=split
        )
        return opened
    channels, side, _ = image_shape
    fit: Fit = "crop" if kind == "photos" else "square"
    flip = kind != "digits"
    if all(name in shards.NAMES for name in data.split("+")):
        names = data.split("+")
        sets = [
            ImageSet.from_shard(name, size=side, channels=channels, fit=fit, flip=flip, split=split)
            for name in names
        ]
        return ImageSet.joined(sets) if len(sets) > 1 else sets[0]
    if Path(data).is_dir():
        return ImageSet.from_folder(Path(data), size=side, channels=channels, fit=fit, flip=flip)
    raise DataError(
        f"{data!r} is neither a picture folder nor a known data set.",
        f"Known sets: {', '.join(shards.NAMES)}.",
    )
