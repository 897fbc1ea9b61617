"""The waves of `band` up to some radius: how they turn into one another, and which are near which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from provenance.watermark.carriers import Whole, band

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
NEAR = 5  # cycles a side: waves whose strengths are compared
LOUDEST = 2.5

Waves = NDArray[np.complex64]


@dataclass(frozen=True)
class Ring:
    """Waves of up to `highest` cycles; `kept` are their indices into `band`.

    `order` and `mirrored`, (8, waves), say for each of `TURNS` which wave of the turned picture a wave
    became, and if that is its conjugate. `near` counts the waves near each.
    """

    highest: int
    kept: Whole
    down: Whole
    across: Whole
    order: Whole
    mirrored: NDArray[np.bool_]
    near: NDArray[np.float32]

    def turned(self, waves: Waves, turns: Whole) -> Waves:
        """Waves (n, waves) of pictures had each been turned its way (n) of `TURNS`, undone."""
        found = np.take_along_axis(waves, self.order[turns], axis=1)
        return np.conjugate(found, out=found, where=self.mirrored[turns])

    def whitened(self, waves: Waves) -> Waves:
        """Waves (n, waves) by the strength of those near them, so that all are heard alike."""
        power = waves.real**2 + waves.imag**2
        equal = waves / np.sqrt(_sums(power, self.down, self.across) / self.near + 1e-12)
        return np.asarray(equal * np.minimum(1, LOUDEST / np.maximum(np.abs(equal), 1e-9)), np.complex64)


@lru_cache(maxsize=4)
def ring(highest: int) -> Ring:
    """The waves of up to `highest` cycles along a tile."""
    down, across = band()
    kept = np.flatnonzero(np.hypot(down, across) <= highest)
    down, across = down[kept], across[kept]
    order, mirrored = _turns(down, across)
    near = _sums(np.ones((1, len(kept)), np.float32), down, across)[0]
    return Ring(highest, kept, down, across, order, mirrored, near)


def _sums(power: NDArray[np.float32], down: Whole, across: Whole) -> NDArray[np.float32]:
    """The power (n, waves) of all that is near each wave; planes lie below one another, apart."""
    highest = int(across.max())
    planes = np.zeros((len(power), 2 * highest + NEAR, highest), np.float32)
    planes[:, down + highest, across - 1] = power
    stacked = planes.reshape(-1, highest)
    sums = cv2.boxFilter(stacked, -1, (NEAR, NEAR), normalize=False, borderType=cv2.BORDER_CONSTANT)
    found = sums.reshape(planes.shape)[:, down + highest, across - 1]
    return np.asarray(np.maximum(found, 0))  # running sums may end a little below


def _turns(down: Whole, across: Whole) -> tuple[Whole, NDArray[np.bool_]]:
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
