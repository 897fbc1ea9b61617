"""What people make of pictures: captions and stickers over them, screenshots with them, collages of them.

A composition is a layout, drawn from a seed and its settings: which windows of the picture go where, and
what is drawn around and over them. A mask goes through the same layout; what is drawn is forged nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

Rng = np.random.Generator
Window = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True)
class Layout:
    """A canvas (H, W, 3), the windows that are put on it (from, to), and where the canvas hides them."""

    canvas: Pixels
    places: tuple[tuple[Window, Window], ...]
    over: NDArray[np.bool_]


def compose(pixels: Pixels, kind: str, seed: int, **settings: Any) -> Pixels:
    """The picture (H, W, 3) in a composition of a kind of `COMPOSITIONS`, at its own size."""
    layout = COMPOSITIONS[kind](pixels.shape[0], pixels.shape[1], seed, **settings)
    return np.where(layout.over[:, :, None], layout.canvas, _placed(pixels, layout.canvas, layout))


def compose_mask(mask: Pixels, kind: str, seed: int, **settings: Any) -> Pixels:
    """Where the composition is forged: mask (H, W), 0 real to 255 forged."""
    layout = COMPOSITIONS[kind](mask.shape[0], mask.shape[1], seed, **settings)
    return np.where(layout.over, np.uint8(0), _placed(mask, np.zeros_like(mask), layout))


def _placed(picture: Pixels, canvas: Pixels, layout: Layout) -> Pixels:
    placed = canvas.copy()
    for source, target in layout.places:
        tall, wide = (part.stop - part.start for part in target)
        seen = picture[source]
        if seen.shape[:2] != (tall, wide):
            seen = cv2.resize(seen, (wide, tall), interpolation=cv2.INTER_AREA)
        placed[target] = seen
    return placed


def _overlay(height: int, width: int, seed: int) -> Layout:
    """Bars, boxes and words over the picture, as on a captioned post."""
    rng = np.random.default_rng(seed)
    layer = np.zeros((height, width, 3), np.uint8)
    covered = np.zeros((height, width), np.uint8)
    if rng.random() < 0.6:
        thickness = int(rng.integers(2, max(3, height // 8)))
        y = int(rng.choice([0, height - thickness]))
        layer[y : y + thickness] = rng.integers(0, 256, 3)
        covered[y : y + thickness] = 1
    for _ in range(int(rng.integers(1, 4))):
        colour = _colour(rng)
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        if rng.random() < 0.5:
            corner = (x + int(rng.integers(8, 48)), y + int(rng.integers(4, 16)))
            cv2.rectangle(layer, (x, y), corner, colour, cv2.FILLED)
            cv2.rectangle(covered, (x, y), corner, 1, cv2.FILLED)
        else:
            letters = _letters(rng, 10)
            size = float(rng.uniform(0.3, 0.8))
            cv2.putText(layer, letters, (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1)
            cv2.putText(covered, letters, (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, size, 1, 1)
    whole = (slice(0, height), slice(0, width))
    return Layout(layer, ((whole, whole),), covered.astype(bool))


def _screenshot(height: int, width: int, seed: int) -> Layout:
    """The picture in a window: a bar with buttons above it, a margin, lines of text below."""
    rng = np.random.default_rng(seed)
    dark = rng.random() < 0.4
    ground = int(rng.integers(16, 48)) if dark else int(rng.integers(232, 256))
    ink = 255 - ground
    canvas = np.full((height, width, 3), ground, np.uint8)
    bar = max(2, round(height * rng.uniform(0.04, 0.12)))
    below = max(2, round(height * rng.uniform(0.04, 0.25)))
    margin = round(width * rng.uniform(0.0, 0.12))
    canvas[:bar] = np.clip(ground + int(rng.integers(-24, 24)), 0, 255)
    for place in range(int(rng.integers(1, 4))):
        centre = (bar // 2 + place * bar, bar // 2)
        cv2.circle(canvas, centre, max(1, bar // 4), _colour(rng), cv2.FILLED, cv2.LINE_AA)
    cv2.putText(
        canvas, _letters(rng, 12), (width // 3, bar - 1), cv2.FONT_HERSHEY_SIMPLEX, bar / 40, (ink,) * 3, 1
    )
    for y in range(height - below + 4, height, 8):
        length = int(rng.integers(width // 4, max(width // 4 + 1, width - 8)))
        cv2.line(canvas, (4, y), (length, y), (ink,) * 3, 2)
    target = (slice(bar, height - below), slice(margin, width - margin))
    return Layout(canvas, (((slice(0, height), slice(0, width)), target),), np.zeros((height, width), bool))


def _caption(height: int, width: int, seed: int, *, share: float = 0.15) -> Layout:
    """A bar with lines of text over the lower or upper end, as tall as this share of the picture."""
    rng = np.random.default_rng(seed)
    tall = min(height, max(2, round(height * share)))
    top = 0 if rng.random() < 0.3 else height - tall
    ground = 0 if rng.random() < 0.5 else 255
    layer = np.zeros((height, width, 3), np.uint8)
    layer[top : top + tall] = ground
    lines = int(rng.integers(1, 3))
    size = tall / lines / 40
    for line in range(lines):
        foot = top + round(tall * (line + 0.75) / lines)
        words = " ".join(_letters(rng, int(rng.integers(3, 9))) for _ in range(4))
        ink = (255 - ground,) * 3
        cv2.putText(layer, words, (width // 20, foot), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
    covered = np.zeros((height, width), bool)
    covered[top : top + tall] = True
    whole = (slice(0, height), slice(0, width))
    layer[~covered] = 0  # the tails of letters
    return Layout(layer, ((whole, whole),), covered)


def _sticker(height: int, width: int, seed: int, *, share: float = 0.1) -> Layout:
    """A round face that covers this share of the picture, somewhere in it."""
    rng = np.random.default_rng(seed)
    radius = min(max(2, round(np.sqrt(share * height * width / np.pi))), min(height, width) // 2)
    x, y = (int(rng.integers(radius, max(radius, side - radius) + 1)) for side in (width, height))
    layer = np.zeros((height, width, 3), np.uint8)
    covered = np.zeros((height, width), np.uint8)
    cv2.circle(covered, (x, y), radius, 1, cv2.FILLED)
    cv2.circle(layer, (x, y), radius, _colour(rng), cv2.FILLED)
    ink = _colour(rng)
    for side in (-1, 1):
        cv2.circle(layer, (x + side * radius // 3, y - radius // 4), max(1, radius // 8), ink, cv2.FILLED)
    cv2.ellipse(layer, (x, y), (radius // 2, radius // 2), 0, 20, 160, ink, max(1, radius // 10))
    whole = (slice(0, height), slice(0, width))
    return Layout(layer, ((whole, whole),), covered.astype(bool))


def _collage(height: int, width: int, seed: int, *, rows: int = 0, columns: int = 0) -> Layout:
    """Two to nine windows of the picture side by side, some of them shrunk, with or without a gutter."""
    rng = np.random.default_rng(seed)
    drawn = ((1, 2), (2, 1), (2, 2), (2, 3), (3, 3))[int(rng.integers(5))]
    rows, columns = rows or drawn[0], columns or drawn[1]
    gutter = int(rng.integers(0, 7))
    canvas = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    places = []
    for row in range(rows):
        for column in range(columns):
            target = _tile(row, rows, height, gutter), _tile(column, columns, width, gutter)
            places.append((_seen(rng, target, height, width), target))
    return Layout(canvas, tuple(places), np.zeros((height, width), bool))


COMPOSITIONS: dict[str, Callable[..., Layout]] = {
    "overlay": _overlay,
    "screenshot": _screenshot,
    "collage": _collage,
    "caption": _caption,
    "sticker": _sticker,
}


def _tile(number: int, count: int, length: int, gutter: int) -> slice:
    first, last = number * length // count, (number + 1) * length // count
    return slice(first, max(first + 1, last - (gutter if number < count - 1 else 0)))


def _seen(rng: Rng, target: Window, height: int, width: int) -> Window:
    """A window of the picture with the shape of a tile, at native size or up to as large as fits."""
    tall, wide = (part.stop - part.start for part in target)
    most = min(height / tall, width / wide)
    scale = 1.0 if rng.random() < 0.5 else float(rng.uniform(1.0, most))
    seen = min(height, round(tall * scale)), min(width, round(wide * scale))
    top, left = int(rng.integers(height - seen[0] + 1)), int(rng.integers(width - seen[1] + 1))
    return slice(top, top + seen[0]), slice(left, left + seen[1])


def _colour(rng: Rng) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _letters(rng: Rng, count: int) -> str:
    return "".join(chr(int(code)) for code in rng.integers(65, 123, count))
