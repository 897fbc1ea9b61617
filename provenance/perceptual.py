"""What is remembered of a medium so that it is known again: PDQ of a picture, of its windows, of key frames.

A crop has another PDQ than its original, so windows are hashed too. They are squares around the strongest
SIFT features (Lowe 2004), as wide as eight times the feature: a crop, an enlargement or a picture in a
picture has the same features, hence the same windows, wherever they lie in it. Videos have no windows, only
key frames: the first frame, and each that differs by more than `KEY_BITS` from the last key frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Frame, MediaInfo, Pixels
from provenance.pdq import LEAST_QUALITY, Hash, distance, hashes_of, pdq_turned

WINDOWS = 10
KEY_BITS = 15

_LONG_SIDE = 320  # pixels; windows are cut at this size
_SOUGHT_SIDE = 96  # pixels of the shorter side when features are sought: the smallest are still plain
_WINDOW_SIDE = 128  # pixels of a window when it is hashed
_SIDES_OF_FEATURE = 8.0
_SMALLEST, _LARGEST = 0.3, 0.75  # side of a window, of the picture's shorter side
_APART = 0.12  # of the side: windows whose middles are closer are one, if they are as wide
_AS_WIDE = 0.15  # natural logarithm of the ratio of two sides


@dataclass(frozen=True)
class Mark:
    """One hash of a medium: of the whole picture, of a `part` of it, or of a key frame at its time.

    `turned` are the hashes of the same when it is mirrored or turned, in the order of `pdq.TURNS` from the
    second on: they are looked for, and not kept.
    """

    hash: Hash
    part: bool = False
    seconds: float | None = None
    turned: tuple[Hash, ...] = ()


@dataclass(frozen=True)
class Fingerprint:
    """The marks of a medium; none where a picture has too little in it to be known again."""

    marks: tuple[Mark, ...] = ()


NO_MARKS = Fingerprint()


class Sketch:
    """Takes the frames of one medium as they are decoded; `fingerprint` is of those it has seen."""

    def __init__(self, info: MediaInfo) -> None:
        self._still = info.kind == "image"
        self._marks: list[Mark] = []

    def add(self, frame: Frame) -> None:
        """Look at the next frame."""
        if self._still:
            self._marks = list(fingerprint(frame.pixels).marks)
            return
        hashes, quality = pdq_turned(frame.pixels)
        if quality >= LEAST_QUALITY:
            first, *turned = (row.tobytes() for row in hashes)
            self._marks.append(Mark(first, seconds=round(frame.time_seconds, 3), turned=tuple(turned)))

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(key_frames(self._marks) if not self._still else tuple(self._marks))


def fingerprint(pixels: Pixels) -> Fingerprint:
    """The marks of a still picture: whole, then windows."""
    hashes, quality = pdq_turned(pixels)
    first, *turned = (row.tobytes() for row in hashes)
    whole = (Mark(first, turned=tuple(turned)),) if quality >= LEAST_QUALITY else ()
    return Fingerprint(whole + tuple(Mark(one, part=True) for one in _windows(pixels)))


def film(pictures: Iterable[Pixels], per_second: float) -> Fingerprint:
    """The marks of frames at a steady rate."""
    sketch = Sketch(MediaInfo("", "", "video", "", 0, 0, 0))
    for number, pixels in enumerate(pictures):
        sketch.add(Frame(pixels, number, number / per_second))
    return sketch.fingerprint


def key_frames(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """Those of the frames, in their order, that differ from the last one that was taken."""
    found: list[Mark] = []
    for mark in marks:
        if not found or distance(found[-1].hash, mark.hash) > KEY_BITS:
            found.append(mark)
    return tuple(found)


def _windows(pixels: Pixels) -> list[Hash]:
    """The hashes of the windows around the strongest features, each hash once."""
    grey = _grey(pixels)
    bright = grey.astype(np.float32)
    found: dict[Hash, None] = {}
    for x, y, side in _squares(grey):
        hashes, quality = hashes_of(_cut(bright, x, y, side))
        if quality >= LEAST_QUALITY:
            found[hashes[0].tobytes()] = None
    return list(found)


def _grey(pixels: Pixels) -> NDArray[np.uint8]:
    small = _shrunk(pixels, _LONG_SIDE / max(pixels.shape[:2]))
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY), np.uint8)


def _shrunk(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A picture at a scale, which enlarges none."""
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _squares(grey: NDArray[np.uint8]) -> list[tuple[float, float, float]]:
    """Middle and side of up to `WINDOWS` squares within a picture, strongest feature first."""
    height, width = grey.shape
    short = min(height, width)
    small = _shrunk(grey, _SOUGHT_SIDE / short)
    across, down = width / small.shape[1], height / small.shape[0]
    sift = cv2.SIFT.create(nOctaveLayers=4, contrastThreshold=0.02, edgeThreshold=8)
    found: list[tuple[float, float, float]] = []
    for point in sorted(sift.detect(small, None), key=lambda one: (-one.response, one.pt)):
        x, y = point.pt[0] * across, point.pt[1] * down
        side = _SIDES_OF_FEATURE * point.size * math.sqrt(across * down)
        inside = min(x, y, width - x, height - y) >= side / 2
        if inside and _SMALLEST * short <= side <= _LARGEST * short and not _taken(found, x, y, side):
            found.append((x, y, side))
            if len(found) == WINDOWS:
                break
    return found


def _taken(found: list[tuple[float, float, float]], x: float, y: float, side: float) -> bool:
    return any(
        abs(x - a) + abs(y - b) < _APART * min(side, other) and abs(np.log(side / other)) < _AS_WIDE
        for a, b, other in found
    )


def _cut(bright: NDArray[np.float32], x: float, y: float, side: float) -> NDArray[np.float32]:
    """The square around (x, y) as (128, 128) values of brightness."""
    step = side / _WINDOW_SIDE
    half = (step - 1) / 2
    place = np.array([[step, 0, x - side / 2 + half], [0, step, y - side / 2 + half]], np.float32)
    cut = cv2.warpAffine(
        bright,
        place,
        (_WINDOW_SIDE, _WINDOW_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cut, np.float32)
