"""What each probe of the linter sees of a picture: one shortcut alone, as a row of numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import MediaInfo, Pixels

Array = NDArray[np.float64]


def _size(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    height, width = pixels.shape[:2]
    whole = [float(side % unit == 0) for unit in (8, 64, 256) for side in (height, width)]
    return np.array([height, width, np.log(height * width), width / height, float(height == width), *whole])


def _format(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    mimes = [float(info.mime == f"image/{name}") for name in ("jpeg", "png", "webp", "tiff", "bmp")]
    sampling = info.jpeg.sampling if info.jpeg else ""
    chroma = [float(sampling == name) for name in ("4:4:4", "4:2:2", "4:2:0", "grey")]
    progressive = float(info.jpeg is not None and info.jpeg.progressive)
    return np.array([*mimes, *chroma, progressive, float(len(info.metadata))])


def _quantisation(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    found = np.zeros(130)
    if info.jpeg is not None:
        found[0], found[1] = 1.0, info.jpeg.quality
        for index, table in enumerate(info.jpeg.tables[:2]):
            found[2 + 64 * index : 66 + 64 * index] = np.log(np.maximum(table, 1))
    return found


def _thumbnail(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    small = cv2.resize(pixels, (8, 8), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64).reshape(-1)


def _histogram(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    bins = [np.bincount((pixels[:, :, c] >> 4).reshape(-1), minlength=16) for c in range(3)]
    counts = np.concatenate(bins).astype(np.float64)
    shares: Array = counts / counts.sum()
    return shares


def _name(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    stem = path.stem
    digits = sum(letter.isdigit() for letter in stem)
    return np.array([len(stem), digits, stem.count("."), stem.count("_"), stem.count("-"), len(path.suffix)])


def _jpeg_grid(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    """How much more neighbours differ at each of the eight phases of a block grid, across and down.

    It finds JPEG blocks in a PNG too: reals that were once compressed, beside fakes that never were. A
    forgery that leaves a strong pattern of its own drowns the blocks as well, so this is advice alone.
    """
    green = pixels[:, :, 1].astype(np.float64)
    found = []
    for plane in (green, green.T):
        bends = np.abs(np.diff(plane, n=3, axis=1)).mean(0)
        phases = np.array([bends[phase::8].mean() if len(bends) > phase else 0.0 for phase in range(8)])
        found.append(phases / max(phases.mean(), 1e-6))
    return np.concatenate(found)


Features = Callable[[Path, MediaInfo, Pixels], Array]

# name -> features, advisory, what to do about a leak
PROBES: dict[str, tuple[Features, bool, str]] = {
    "size": (
        _size,
        False,
        "Cut both classes to the same sizes, or forge each fake at the size of its real twin.",
    ),
    "format": (
        _format,
        False,
        "Write both classes in one format with the same chroma sampling, and strip or copy the metadata.",
    ),
    "quantisation tables": (
        _quantisation,
        False,
        "Write each fake with the JPEG tables of its real twin, or recompress both classes alike.",
    ),
    "8x8 thumbnail": (
        _thumbnail,
        False,
        "The classes show different things: pair each fake with the real picture it was made from.",
    ),
    "colour histogram": (
        _histogram,
        False,
        "The fakes' colours drift: put the low-frequency colour of the real twin back.",
    ),
    "JPEG grid": (
        _jpeg_grid,
        True,
        "One class was compressed and the other not: give both the same JPEG history, in a PNG too.",
    ),
    "file name": (_name, True, "Names give the label away to anything that reads them: use neutral names."),
}
