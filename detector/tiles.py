"""Where the detector looks: tiles of native pixels on the eight-pixel grid, never a resize.

A score must depend on the pixels as decoded, so a picture is cut, not scaled. Offsets are multiples
of 8: tiles then share the grid of the network's map and of JPEG blocks. Only a picture with a side
below 64 px, the smallest the network takes, is grown by reflection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

CELL = 8  # one cell of the network's map, in pixels
SMALLEST = 64
SIZE = 256


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture: top left corner and size, in pixels, all multiples of 8."""

    y: int
    x: int
    height: int
    width: int


def plan(height: int, width: int, *, size: int = SIZE, max_tiles: int | None = None) -> list[Tile]:
    """Tiles of one shape that cover every whole cell of a picture, in reading order.

    Neighbours overlap as evenly as the grid allows; at most 7 px at the right and bottom edge lie
    outside. With `max_tiles` below full cover an even sample is left; `choose` samples with a view
    to the pixels instead.
    """
    rows, tall = _offsets(max(height, SMALLEST), size)
    columns, wide = _offsets(max(width, SMALLEST), size)
    tiles = [Tile(y, x, tall, wide) for y in rows for x in columns]
    if max_tiles is None or len(tiles) <= max_tiles:
        return tiles
    return [tiles[index] for index in _even(len(tiles), max_tiles)]


def choose(pixels: Pixels, tiles: Sequence[Tile], max_tiles: int) -> list[Tile]:
    """At most `max_tiles` of the tiles: half spread evenly, half the most textured, in reading order."""
    if len(tiles) <= max_tiles:
        return list(tiles)
    kept = set(_even(len(tiles), max_tiles - max_tiles // 2))
    texture = [_texture(pixels, tile) for tile in tiles]
    for index in sorted(range(len(tiles)), key=lambda i: (-texture[i], i)):
        if len(kept) == max_tiles:
            break
        kept.add(index)
    return [tiles[index] for index in sorted(kept)]


def cut(pixels: Pixels, tiles: Sequence[Tile]) -> Pixels:
    """The tiles' pixels, uint8 (N, h, w, 3); a side below 64 px is first reflected to 64."""
    grown = grow(pixels)
    return np.stack([grown[t.y : t.y + t.height, t.x : t.x + t.width] for t in tiles])


def grow(pixels: Pixels) -> Pixels:
    """The picture itself, or, with a side below 64 px, its reflection to 64 at right and bottom."""
    below = max(0, SMALLEST - pixels.shape[0])
    right = max(0, SMALLEST - pixels.shape[1])
    if not below and not right:
        return pixels
    return np.pad(pixels, ((0, below), (0, right), (0, 0)), mode="symmetric")


def _offsets(side: int, size: int) -> tuple[list[int], int]:
    """Evenly spread tile offsets along one side, and the tile's length there."""
    cells = side // CELL
    length = min(size // CELL, cells)
    count = -(-cells // length)
    starts = np.linspace(0, cells - length, count).round().astype(int)
    return [int(start) * CELL for start in starts], length * CELL


def _even(total: int, count: int) -> list[int]:
    return sorted({int(index) for index in np.linspace(0, total - 1, max(count, 1)).round()})


def _texture(pixels: Pixels, tile: Tile) -> float:
    """Mean absolute difference of horizontal neighbours in green, on every fourth row."""
    green: NDArray[np.int16] = pixels[
        tile.y : tile.y + tile.height : 4, tile.x : tile.x + tile.width, 1
    ].astype(np.int16)
    return float(np.abs(np.diff(green, axis=1)).mean()) if green.shape[1] > 1 else 0.0
