"""What a picture's tiles have in common at a scale: their mean spectrum, without what pictures have anyway.

Each place is divided by the contrast around it, so that busy parts do not drown the others, and each wave by
the strength of those near it, so that all are heard alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.watermark.carriers import CELLS, HIGHEST, Whole, band
from provenance.watermark.embed import LONGEST

# Tiles along the mean side of a picture: 2 to 4 as it was marked, fewer after a crop or if it was small.
FEWEST, MOST = 0.9, 4.1
STEP = 0.036  # half of it costs a tenth of the correlation
LIKELY = 3
SCALES = math.ceil((MOST - FEWEST) / STEP)
CLOSER = (-2, -1, 0, 1, 2)  # quarters of a step, for each of the axes
REFINED = len(CLOSER) ** 2
TURNS = (
    "",
    "mirrored",
    "mirrored and upside down",
    "upside down",
    "transposed",
    "turned right",
    "turned left",
    "transposed and upside down",
)
SURROUNDINGS = 1.5  # cells: what is near
QUIET = 1.0  # grey levels below which contrast is noise
TRUST = 1.8  # the matched filter for a mark as `embed` masks it
LOUDEST = 2.5

Plane = NDArray[np.float32]
Waves = NDArray[np.complex64]


@dataclass(frozen=True)
class Scale:
    """Tiles along the mean side, and how far the two axes differ from it."""

    tiles: float
    down: float = 1.0
    across: float = 1.0
    likely: bool = False


class Views:
    """Frames of one size at every scale; each is prepared once for each half octave."""

    def __init__(self, frames: Sequence[Plane]) -> None:
        self._frames = [_middle(frame) for frame in frames]
        self._height, self._width = self._frames[0].shape
        self._mean_side = math.sqrt(self._height * self._width)
        self._prepared: dict[float, list[Plane]] = {}

    def likely(self) -> Iterator[Scale]:
        """Scales at which a tile has the width it is marked with, halved perhaps."""
        powers = (self._mean_side / CELLS / 2**power for power in range(-4, 12))
        for tiles in [tiles for tiles in powers if FEWEST <= tiles <= MOST][:LIKELY]:
            yield Scale(tiles, likely=True)

    def scales(self) -> Iterator[Scale]:
        """All others."""
        yield from map(Scale, np.arange(FEWEST, MOST, STEP).tolist())

    def around(self, scale: Scale) -> Iterator[Scale]:
        """Those near one, the axes apart."""
        part = STEP / 4 / scale.tiles
        for down in CLOSER:
            for across in CLOSER:
                yield Scale(scale.tiles, 1 + part * down, 1 + part * across)

    def period(self, scale: Scale) -> float:
        """Pixels of the picture along a tile."""
        return self._mean_side / scale.tiles

    def waves(self, scale: Scale) -> Waves:
        """The spectrum of the tiles at this scale, in the order of `band`."""
        return np.asarray(sum(_whitened(self._fold(plane, scale)) for plane in self._at(scale)), np.complex64)

    def _at(self, scale: Scale) -> list[Plane]:
        half_octave = 2 ** (math.ceil(2 * math.log2(scale.tiles)) / 2)
        if half_octave not in self._prepared:
            factor = min(1.0, half_octave * CELLS / self._mean_side)
            self._prepared[half_octave] = [_prepare(frame, factor) for frame in self._frames]
        return self._prepared[half_octave]

    def _fold(self, plane: Plane, scale: Scale) -> Plane:
        """Bring tiles to `CELLS` a side and add them up: (CELLS, CELLS)."""
        grown = scale.tiles * CELLS / self._mean_side
        height, width = self._height * grown * scale.down, self._width * grown * scale.across
        rows, columns = (-(-math.ceil(side) // CELLS) * CELLS for side in (height, width))
        y, x = height / plane.shape[0], width / plane.shape[1]
        # Centres of pixels lie half a pixel in.
        turn = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2]])
        laid = cv2.warpAffine(plane, turn, (columns, rows), flags=cv2.INTER_LINEAR)
        return np.asarray(laid.reshape(rows // CELLS, CELLS, columns // CELLS, CELLS).sum((0, 2)))


def all_turns(waves: Waves) -> Waves:
    """The same waves had the picture been turned each way of `TURNS`, undone: (8, waves)."""
    order, mirrored = _turns()
    turned = waves[order]
    return np.asarray(np.where(mirrored, turned.conj(), turned))


def _middle(frame: Plane) -> Plane:
    """The picture, or the middle of one that is a mere stripe."""
    most = LONGEST * min(frame.shape)
    y, x = (max(0, side - most) // 2 for side in frame.shape)
    return frame[y : y + most, x : x + most]


def _prepare(frame: Plane, factor: float) -> Plane:
    if factor < 1:
        size = (max(1, round(frame.shape[1] * factor)), max(1, round(frame.shape[0] * factor)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    detail = frame - cv2.GaussianBlur(frame, (0, 0), SURROUNDINGS)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), SURROUNDINGS))
    return np.asarray(detail / (contrast + QUIET) ** TRUST, np.float32)


def _whitened(folded: Plane) -> Waves:
    down, across = band()
    waves = np.fft.rfft2(folded)[down % CELLS, across]
    power = np.zeros((2 * HIGHEST + 1, HIGHEST), np.float32)
    power[down + HIGHEST, across - 1] = np.abs(waves) ** 2
    near = (_near(power) / _count())[down + HIGHEST, across - 1]
    equal = waves / np.sqrt(near + 1e-12)
    return np.asarray(equal * np.minimum(1, LOUDEST / np.maximum(np.abs(equal), 1e-9)), np.complex64)


def _near(plane: Plane) -> Plane:
    return np.asarray(cv2.blur(plane, (5, 5), borderType=cv2.BORDER_CONSTANT))


@lru_cache(maxsize=1)
def _count() -> Plane:
    down, across = band()
    present = np.zeros((2 * HIGHEST + 1, HIGHEST), np.float32)
    present[down + HIGHEST, across - 1] = 1
    return np.maximum(_near(present), 1 / 25)


@lru_cache(maxsize=1)
def _turns() -> tuple[Whole, NDArray[np.bool_]]:
    """For each turn and wave: which wave of the turned picture it became, and if that is its conjugate."""
    down, across = band()
    place = {wave: number for number, wave in enumerate(zip(down.tolist(), across.tolist(), strict=True))}
    ways = [(s * down, t * across) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    ways += [(s * across, t * down) for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    order, mirrored = [], []
    for rows, columns in ways:
        other = columns < 0  # in the half plane that is not kept
        rows, columns = np.where(other, -rows, rows), np.abs(columns)
        order.append([place[wave] for wave in zip(rows.tolist(), columns.tolist(), strict=True)])
        mirrored.append(other)
    return np.array(order), np.array(mirrored)
