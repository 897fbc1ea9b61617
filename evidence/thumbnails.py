"""Small pictures: shrunk to a side, and as the JPEG that is shown or kept in place of the whole."""

from __future__ import annotations

import cv2
import numpy as np

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels

PREVIEW_QUALITY = 85


def preview_jpg(pixels: Pixels) -> bytes:
    """A preview as JPEG."""
    return encode_jpeg(np.ascontiguousarray(pixels), PREVIEW_QUALITY)


def shrunk(pixels: Pixels, most: int) -> Pixels:
    """A picture of at most so many pixels a side."""
    scale = min(1.0, most / max(pixels.shape[:2]))
    if scale == 1:
        return pixels
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
