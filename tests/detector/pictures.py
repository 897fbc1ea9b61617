"""Pictures made by code, and two crude forgeries of them."""

from __future__ import annotations

import cv2
import numpy as np

from evidence.medium import Pixels


def photograph(seed: int, height: int = 144, width: int = 152) -> Pixels:
    """A smooth picture with some grain."""
    rng = np.random.default_rng(seed)
    base = cv2.GaussianBlur(rng.normal(128, 400, (height, width, 3)).astype(np.float32), (0, 0), 4.0)
    return np.clip(base + rng.normal(0, 3, base.shape), 0, 255).astype(np.uint8)


def checkered(pixels: Pixels, strength: int = 6) -> Pixels:
    """A crude forgery: the grid that a transposed convolution leaves."""
    grid = np.indices(pixels.shape[:2]).sum(0) % 2
    return np.clip(pixels.astype(int) + strength * (2 * grid[:, :, None] - 1), 0, 255).astype(np.uint8)


def striped(pixels: Pixels, strength: int = 6) -> Pixels:
    """Another: every second row brighter."""
    rows = np.arange(pixels.shape[0])[:, None, None] % 2
    return np.clip(pixels.astype(int) + strength * (2 * rows - 1), 0, 255).astype(np.uint8)
