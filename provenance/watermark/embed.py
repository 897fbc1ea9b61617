"""Put a mark into the pixels of a picture: the tile of the key, repeated, stronger where the picture is busy.

The mark goes into the luma alone. Its tile grows with the picture in steps of two, so that what was scaled
down for a screen still holds all of its waves.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.errors import TooSmall
from evidence.medium import Pixels
from provenance.watermark.carriers import CELLS, tile
from provenance.watermark.code import encode

SMALLEST_SIDE = 96
LONGEST = 32  # short sides: of what is longer, the middle is looked at
PSNR_DB = 41.0
QUIET = 2.0  # grey levels that even a flat picture is taken to vary by


def embed(pixels: Pixels, key: bytes, payload: bytes) -> Pixels:
    """A copy of `pixels`, (H, W), (H, W, 3) or with alpha (H, W, 4), that carries `payload` of 8 bytes.

    Alpha is left as it is. Raises TooSmall below `SMALLEST_SIDE` pixels a side.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise TooSmall(
            f"The picture has {width} x {height} pixels; a watermark needs {SMALLEST_SIDE} on each side.",
            "Mark it before it is made smaller.",
        )
    period = period_of(height, width)
    pattern = tile(key, encode(payload), period)
    repeats = (-(-height // period), -(-width // period))
    mark = np.tile(pattern, repeats)[:height, :width] * _mask(grey(pixels).astype(np.float32), period)
    mark *= 255 * 10 ** (-PSNR_DB / 20) / np.sqrt(np.mean(mark * mark))
    marked = pixels.copy()
    colours = pixels if pixels.ndim == 2 else pixels[..., :3]
    changed = colours + (mark if pixels.ndim == 2 else mark[..., None])
    np.clip(np.rint(changed, out=changed), 0, 255, out=changed)
    if pixels.ndim == 2:
        return np.asarray(changed, np.uint8)
    marked[..., :3] = changed
    return marked


def period_of(height: int, width: int) -> int:
    """Pixels along a tile: from 1/4 to 1/2 of the mean side, and never fewer than its cells."""
    short, long = sorted((height, width))
    mean_side = math.sqrt(short * min(long, LONGEST * short))
    return CELLS << max(0, math.floor(math.log2(mean_side / (2 * CELLS))))


def grey(pixels: Pixels) -> Pixels:
    """(H, W), (H, W, 3) or (H, W, 4) -> (H, W)."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY), np.uint8)


def _mask(light: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """How much the eye bears at each place, to a factor: the root of the contrast around it."""
    side = max(3, period // 16 | 1)
    mean = cv2.blur(light, (side, side))
    contrast = np.sqrt(np.maximum(cv2.blur(light * light, (side, side)) - mean * mean, 0))
    return np.asarray(np.sqrt(contrast + QUIET), np.float32)
