"""How alike two pictures are: what an attack must keep while it turns a verdict."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

Plane = NDArray[np.float32]


def psnr_db(before: Pixels, after: Pixels) -> float:
    """Peak signal-to-noise ratio in decibels; 138 for equal pictures."""
    return 10 * math.log10(255**2 / max(1e-9, float(np.mean((before.astype(np.float32) - after) ** 2))))


def ssim(before: Pixels, after: Pixels) -> float:
    """Mean structural similarity of the luma: Wang et al. 2004, a Gaussian window of 1.5."""
    x, y = _luma(before), _luma(after)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x, var_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    both = _blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    map_ = (
        (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    )
    return float(map_.mean())


def largest_change(before: Pixels, after: Pixels) -> int:
    """The largest change of any value, in grey levels."""
    return int(np.abs(before.astype(np.int16) - after).max())


def _luma(pixels: Pixels) -> Plane:
    grey: Pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    return grey.astype(np.float32)


def _blur(plane: Plane) -> Plane:
    blurred: Plane = cv2.GaussianBlur(plane, (11, 11), 1.5)
    return blurred
