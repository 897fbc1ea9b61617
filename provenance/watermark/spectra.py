"""What a picture's tiles have in common at a scale: their spectrum, without what pictures have anyway.

Each place is divided by the contrast around it, so that busy parts do not drown the others, and each wave by
the strength of those near it, so that all are heard alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from provenance.watermark.carriers import CELLS
from provenance.watermark.embed import LONGEST, grey
from provenance.watermark.rings import Ring, Waves
from provenance.watermark.transform import Plane, Transform

# Tiles along the mean side of a picture: 2 to 4 as it was marked, fewer after a crop or if it was small.
FEWEST, MOST = 0.9, 4.1
FINEST = 4  # tiles of which every cell has a pixel; a few more are told from as many
LIKELY = 3
SURROUNDINGS = 1.5  # cells: what is near
QUIET = 1.0  # grey levels below which contrast is noise
TRUST = 1.8  # the matched filter for a mark as `embed` masks it
ROOM = 3  # times what tiles need: a picture as large as that is halved first, in whole grey levels

Tiles = NDArray[np.float64]


class Views:
    """Frames of one size at every scale; each is prepared and transformed once for each octave."""

    def __init__(self, frames: Sequence[Pixels]) -> None:
        halved = [_halved(_middle(grey(frame))) for frame in frames]
        self._frames = [frame.astype(np.float32) for frame, _ in halved]
        self._height, self._width = self._frames[0].shape
        self._mean_side = math.sqrt(self._height * self._width)
        self._shrunk = halved[0][1]
        self._transforms: dict[int, list[Transform]] = {}

    def likely(self) -> Tiles:
        """Scales at which a tile has the width it is marked with, halved perhaps."""
        powers = (self._mean_side / CELLS / 2**power for power in range(-4, 12))
        return np.array([tiles for tiles in powers if FEWEST <= tiles <= MOST][:LIKELY])

    def period(self, down: float, across: float) -> float:
        """Pixels of the picture along a tile."""
        return self._shrunk * self._mean_side / math.sqrt(down * across)

    def waves(self, down: Tiles, across: Tiles, ring: Ring) -> Waves:
        """The spectra (n, waves) of tiles at n scales: so many along the mean side, down and across."""
        octaves = np.floor(np.log2(FINEST / np.maximum(down, across))).astype(int).clip(min=0)
        found = np.empty((len(down), len(ring.kept)), np.complex64)
        y, x = self._height / self._mean_side, self._width / self._mean_side
        for octave in np.unique(octaves):
            here = octaves == octave
            rows = np.multiply.outer(down[here] * y, ring.down).astype(np.float32)
            columns = np.multiply.outer(across[here] * x, ring.across).astype(np.float32)
            found[here] = sum(ring.whitened(one.at(rows, columns)) for one in self._at(int(octave)))
        return found

    def _at(self, octave: int) -> list[Transform]:
        if octave not in self._transforms:
            factor = min(1.0, FINEST * CELLS / 2**octave / self._mean_side)
            self._transforms[octave] = [Transform(_prepare(frame, factor)) for frame in self._frames]
        return self._transforms[octave]


def _middle(frame: Pixels) -> Pixels:
    """The picture, or the middle of one that is a mere stripe."""
    most = LONGEST * min(frame.shape)
    y, x = (max(0, side - most) // 2 for side in frame.shape)
    return frame[y : y + most, x : x + most]


def _halved(frame: Pixels) -> tuple[Pixels, int]:
    """A picture of which no more is kept than is needed, and how often it was halved, as a factor.

    That whole grey levels are kept costs nothing: what is rounded is laid on others again.
    """
    factor = 1
    while min(frame.shape) > 1 and math.sqrt(frame.size) >= ROOM * FINEST * CELLS:
        height, width = (side // 2 for side in frame.shape)
        even = frame[: 2 * height, : 2 * width]
        frame = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        factor *= 2
    return frame, factor


def _prepare(frame: Plane, factor: float) -> Plane:
    if factor < 1:
        size = (max(1, round(frame.shape[1] * factor)), max(1, round(frame.shape[0] * factor)))
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.float32)
    detail = frame - cv2.GaussianBlur(frame, (0, 0), SURROUNDINGS)
    contrast = cv2.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), SURROUNDINGS))
    return np.asarray(detail / cv2.pow(contrast + np.float32(QUIET), TRUST), np.float32)
