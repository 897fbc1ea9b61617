"""PDQ, the 256-bit perceptual hash of photographs, from Meta: "The TMK+PDQF video-hashing algorithm and the
PDQ image-hashing algorithm", 2019. Bit for bit as the reference code in
facebook/ThreatExchange, but for rounding.

Its two tent filters and its decimation are linear, so a picture of any size is reduced to 64 x 64 by one
matrix on either side. Pictures of more than 512 pixels a side are first shrunk to that, as the
reference does.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

BITS = 256
BYTES = BITS // 8
RADIUS = 31  # bits; the distance up to which Meta calls two pictures the same
LEAST_QUALITY = 50  # 0..100; below it a picture has too little in it to be told from others
TURNS = (
    "", "mirrored", "upside down mirrored", "turned by 180 degrees",
    "mirrored on its diagonal", "turned by 90 degrees", "turned by 270 degrees",
    "mirrored on its other diagonal",
)  # fmt: skip

Hash = bytes  # 32 of them; `.hex()` is how others write it
Hashes = NDArray[np.uint8]  # (n, 32)

_SMALLEST = 5  # pixels a side, as in the reference
_SHRUNK = 512
_SIDE = 64
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def pdq(pixels: Pixels) -> tuple[Hash, int]:
    """The hash of an RGB picture (H, W, 3), and its quality, 0 to 100."""
    hashes, quality = pdq_turned(pixels, turns=1)
    return hashes[0].tobytes(), quality


def pdq_turned(pixels: Pixels, *, turns: int = len(TURNS)) -> tuple[Hashes, int]:
    """The hashes of a picture and of it mirrored and turned, in the order of `TURNS`, and its quality."""
    return hashes_of(luma(pixels), turns=turns)


def luma(pixels: Pixels) -> NDArray[np.float32]:
    """The brightness of an RGB picture, 0 to 255, of at most 512 pixels a side."""
    height, width = pixels.shape[:2]
    if max(height, width) > _SHRUNK:
        size = (_SHRUNK, _SHRUNK)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(pixels.astype(np.float32) @ _LUMA, np.float32)


def hashes_of(bright: NDArray[np.float32], *, turns: int = 1) -> tuple[Hashes, int]:
    """As `pdq_turned`, of a picture's brightness (H, W)."""
    height, width = bright.shape
    if min(height, width) < _SMALLEST:
        return np.zeros((turns, BYTES), np.uint8), 0
    down, across = _reduction(height), _reduction(width).T
    upright = np.asarray(down @ bright @ across, np.float32)  # (H, W) -> (64, 64)
    quality = _quality(upright)
    if turns == 1:
        return _bits(_waves(upright[None])), quality
    # A mirrored picture is sampled elsewhere than the picture is, so it is reduced and not only renamed.
    head = down[:, ::-1] @ bright
    small = np.stack([upright, down @ bright @ across[::-1], head @ across, head @ across[::-1]])
    across_diagonal = small[[0, 2, 1, 3]].transpose(0, 2, 1)
    return _bits(_waves(np.concatenate([small, across_diagonal])[:turns])), quality


def distance(one: Hash, other: Hash) -> int:
    """How many of the 256 bits differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _waves(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """The slow part of the cosine transform: (n, 64, 64) -> (n, 16, 16)."""
    return np.asarray(_DCT @ small @ _DCT.T, np.float32)


def _bits(waves: NDArray[np.float32]) -> Hashes:
    """Which of the 256 waves are above their lower median; the last wave is the first bit."""
    flat = waves.reshape(len(waves), BITS)
    middle = np.partition(flat, BITS // 2 - 1, axis=1)[:, BITS // 2 - 1]
    return np.packbits(flat[:, ::-1] > middle[:, None], axis=1)


def _quality(small: NDArray[np.float32]) -> int:
    """How much there is to see in 64 x 64 values of brightness: the sum of the steps between neighbours."""
    steps = [np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum() for axis in (0, 1)]
    return min(100, int(sum(steps)) // 90)


def _cosines() -> NDArray[np.float32]:
    """The waves 1 to 16 of 64 in the discrete cosine transform: (16, 64)."""
    wave, at = np.arange(1, 17)[:, None], np.arange(_SIDE)[None]
    cosines = np.sqrt(2 / _SIDE) * np.cos(np.pi / 2 / _SIDE * wave * (2 * at + 1))
    return np.asarray(cosines, np.float32)


@lru_cache(maxsize=256)
def _reduction(size: int) -> NDArray[np.float32]:
    """The matrix (64, size) that blurs by two box filters and takes 64 samples."""
    if size == _SIDE:  # frames that were reduced already are not blurred again, in the reference neither
        return np.eye(_SIDE, dtype=np.float32)
    window = (size + 2 * _SIDE - 1) // (2 * _SIDE)
    after = (window + 2) // 2 - 1
    before = window - 1 - after
    at = np.arange(size)
    first, end = np.maximum(at - before, 0)[:, None], np.minimum(at + after + 1, size)[:, None]
    box = ((at >= first) & (at < end)) / (end - first)  # (size, size), each row a mean
    middles = ((np.arange(_SIDE) + 0.5) * size / _SIDE).astype(int)
    return np.asarray((box[middles] @ box), np.float32)


_DCT = _cosines()
