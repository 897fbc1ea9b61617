"""torchvision's data sets as training sets, by `torchvision:NAME:FOLDER`; nothing is ever downloaded.

Any set whose items are (picture, class number) serves. Its own test part is our `test`; of the rest, one
picture in eight by its number is `cal`. A set without a test part is split the same way in three.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from evidence.errors import DataError
from generators.data.memory import Fit, ImageSet, fitted

PREFIX = "torchvision:"

# Which remainders by eight of a picture's number belong to a part, with a test part of its own or without.
_OWN_TEST = {"train": range(7), "cal": range(7, 8), "test": range(8)}
_NO_TEST = {"train": range(6), "cal": range(6, 7), "test": range(7, 8)}


def load(data: str, *, size: int, channels: int, fit: Fit, flip: bool, split: str = "train") -> ImageSet:
    """The part `split` of the set that `data` names; raises DataError when it is not there."""
    _, name, folder = [*data.split(":", 2), "", ""][:3]
    items, numbers = _part(name, folder, split)
    digest = hashlib.sha256()
    pictures, labels = [], []
    for number in numbers:
        item = items[number]
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Image.Image)):
            raise DataError(
                f"The items of torchvision's {name} are not pictures with a class.",
                "Take a set for classification.",
            )
        picture, label = item
        pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"), np.uint8)
        digest.update(pixels.tobytes() + str(label).encode())
        pictures.append(fitted(pixels.reshape(*pixels.shape[:2], channels), size, fit))
        labels.append(label)
    labelled = all(isinstance(label, int | np.integer) for label in labels)
    classes = getattr(items, "classes", range(max(labels) + 1) if labelled and labels else ())
    return ImageSet(
        pictures,
        labels=labels if labelled else None,
        crop=size if fit == "crop" else None,
        flip=flip,
        sha256={f"{name} of torchvision, its pixels": digest.hexdigest()},
        names={"classes": tuple(str(kind) for kind in classes)} if labelled else None,
    )


def _part(name: str, folder: str, split: str) -> tuple[Any, list[int]]:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise DataError(f"torchvision is not installed: {error}.", "Install it, or give a folder.") from None
    kind = getattr(datasets, name, None)
    if not inspect.isclass(kind) or not folder:
        said = f"{PREFIX}{name}:{folder}".rstrip(":")
        raise DataError(
            f"{said} names no data set of torchvision and a folder it lies in.",
            "Write torchvision:CIFAR10:data/cifar, for example.",
        )
    known = inspect.signature(kind).parameters
    parts: dict[str, dict[str, Any]] = {
        "train": {"train": split != "test"},
        "split": {"split": "test" if split == "test" else "train"},
    }
    choice: dict[str, Any] = next((parts[key] for key in parts if key in known), {})
    items = _opened(kind, folder, choice | ({"download": False} if "download" in known else {}))
    shares = (_OWN_TEST if choice else _NO_TEST)[split]
    return items, [number for number in range(len(items)) if number % 8 in shares]


def _opened(kind: Callable[..., Any], folder: str, options: dict[str, Any]) -> Any:
    try:
        return kind(folder, **options)
    except (RuntimeError, OSError, TypeError, ValueError, ImportError) as error:
        raise DataError(
            f"torchvision cannot open this set in {folder}: {str(error).partition('. ')[0].rstrip('.')}.",
            "Download it there first, with torchvision's own `download=True`.",
        ) from None
