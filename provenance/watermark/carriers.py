"""The waves that a key stands for: frequencies of a square tile, their phases, and which carries what.

The mark is one tile, repeated over the picture, made of some 1 300 waves. The pilot's waves say that a mark
is there and where its tiles begin; the others carry the payload, several for each coded bit. Phases and roles
come from HMAC-SHA256 in counter mode, so that to whoever lacks the key they are noise. Marks by spread
spectrum: Cox, Kilian, Leighton and Shamoon 1997 (IEEE Transactions on Image Processing 6:12). Tiles that
outlive a crop, and a known pattern to find them by: Kutter 1998 (SPIE 3528), Pereira and Pun 2000 (IEEE
Transactions on Image Processing 9:6).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CELLS = 64  # samples along a tile in which every wave can still be told
LOWEST, HIGHEST = 4, 30  # cycles along a tile
PILOT_SHARE = 0.45

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Carriers:
    """The waves of one key: `phases` in radians, in the order of `band`, and the indices of both roles.

    `data` stands in the order in which the coded bits use it.
    """

    phases: NDArray[np.float64]
    pilot: Whole
    data: Whole


@lru_cache(maxsize=1)
def band() -> tuple[Whole, Whole]:
    """Cycles down and across a tile: a ring of half the plane. Its axes are left out: edges lie there.

    The other half holds the same waves again.
    """
    down, across = np.mgrid[-HIGHEST : HIGHEST + 1, 1 : HIGHEST + 1]
    radius = np.hypot(down, across)
    chosen = (radius >= LOWEST) & (radius <= HIGHEST) & (down != 0)
    return down[chosen], across[chosen]


@lru_cache(maxsize=16)
def carriers(key: bytes) -> Carriers:
    """The waves of `key`."""
    count = len(band()[0])
    order = np.argsort(_uniform(key, b"roles", count), kind="stable")
    pilots = round(PILOT_SHARE * count)
    return Carriers(2 * np.pi * _uniform(key, b"phases", count), np.sort(order[:pilots]), order[pilots:])


def tile(key: bytes, coded: NDArray[np.int8], period: int) -> NDArray[np.float32]:
    """The tile (period, period) of mean 0 and deviation 1 that says `coded`, a row of -1 and 1."""
    waves = carriers(key)
    down, across = band()
    signs = np.ones(len(down))
    signs[waves.data] = np.resize(coded, len(waves.data))
    spectrum = np.zeros((period, period // 2 + 1), np.complex128)
    spectrum[down % period, across] = signs * np.exp(1j * waves.phases)
    pattern = np.fft.irfft2(spectrum, s=(period, period))
    return np.asarray(pattern / pattern.std(), np.float32)


def _uniform(key: bytes, label: bytes, count: int) -> NDArray[np.float64]:
    """`count` numbers in [0, 1) that only the key tells."""
    blocks = range(-(-count * 4 // hashlib.sha256().digest_size))
    parts = (b"touchstone watermark 1 %s %d" % (label, block) for block in blocks)
    stream = b"".join(hmac.digest(key, part, "sha256") for part in parts)
    return np.frombuffer(stream, "<u4", count) / 2.0**32
