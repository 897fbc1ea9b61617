"""Where the pixels of a picture go when it is cropped, turned or framed: the same for its mask.

Every function takes a picture (H, W, 3) or a mask (H, W); what a frame adds to a mask is forged nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from evidence.medium import Pixels

AXES = ("horizontal", "vertical")
SIDES = ("all", "top-bottom", "left-right")


def crop(picture: Pixels, *, share: float, x: float = 0.5, y: float = 0.5) -> Pixels:
    """A window of this share of the area; `x` and `y` place it, 0 left and top, 1 right and bottom."""
    height, width = picture.shape[:2]
    tall, wide = (max(1, round(side * math.sqrt(share))) for side in (height, width))
    top, left = round((height - tall) * y), round((width - wide) * x)
    return np.ascontiguousarray(picture[top : top + tall, left : left + wide])


def fit(picture: Pixels, *, side: int) -> Pixels:
    """Shrunk until no side is longer than `side`, as platforms do it; a smaller picture stays as it is."""
    height, width = picture.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return picture
    target = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk: Pixels = cv2.resize(picture, target, interpolation=cv2.INTER_AREA)
    return shrunk


def flip(picture: Pixels, *, axis: str = "horizontal") -> Pixels:
    """Mirrored from left to right, or with `axis` "vertical" upside down."""
    return np.ascontiguousarray(picture[:, ::-1] if axis == "horizontal" else picture[::-1])


def turn(picture: Pixels, *, quarters: int = 1) -> Pixels:
    """Turned counterclockwise by so many right angles."""
    return np.ascontiguousarray(np.rot90(picture, quarters))


def rotate(picture: Pixels, *, degrees: float) -> Pixels:
    """Turned counterclockwise and enlarged until the frame is filled, as editors straighten a horizon."""
    height, width = picture.shape[:2]
    angle = math.radians(abs(degrees))
    zoom = math.cos(angle) + math.sin(angle) * max(width / height, height / width)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, zoom)
    turned: Pixels = cv2.warpAffine(
        picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return turned


def border(picture: Pixels, *, share: float, sides: str = "all", level: int = 0) -> Pixels:
    """A frame of one grey `level` around it, as thick as this share of the short side; or two bars."""
    if picture.ndim == 2:
        level = 0
    thick = max(1, round(min(picture.shape[:2]) * share))
    rows, columns = (thick if sides in ("all", way) else 0 for way in SIDES[1:])
    growth = [(rows, rows), (columns, columns), (0, 0)][: picture.ndim]
    return np.pad(picture, growth, constant_values=level)


GEOMETRY: dict[str, Callable[..., Pixels]] = {
    "crop": crop,
    "fit": fit,
    "flip": flip,
    "turn": turn,
    "rotate": rotate,
    "border": border,
}
