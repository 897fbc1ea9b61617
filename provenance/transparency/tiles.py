"""A Merkle tree kept in tiles of 256 hashes (c2sp.org/tlog-tiles): growing it, its roots, and its proofs.

Tile `number` of level `l` holds 256 hashes of subtrees of 256 ** l leaves each, fewer at the right edge. What
lies between two levels is hashed anew when it is needed: a proof reads two tiles a level, whatever the size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evidence.errors import UsageError
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import EMPTY, HASH_BYTES, node_hash, split

WIDTH = 256
_HEIGHT = 8  # levels of the tree in one tile
_FULL_BYTES = WIDTH * HASH_BYTES

# The hashes of a tile, of which at least so many are wanted: (level, number, count).
ReadTile = Callable[[int, int, int], bytes]


def grow(read: ReadTile, size: int, leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """The tiles of a tree of `size` leaves that change when `leaves` are appended, by (level, number)."""
    changed: dict[tuple[int, int], bytes] = {}
    level, at, fresh = 0, size, list(leaves)
    while fresh:
        number, held = divmod(at, WIDTH)
        hashes = (read(level, number, held)[: held * HASH_BYTES] if held else b"") + b"".join(fresh)
        fresh, at = [], number
        for first in range(0, len(hashes), _FULL_BYTES):
            tile = hashes[first : first + _FULL_BYTES]
            changed[level, number] = tile
            number += 1
            if len(tile) == _FULL_BYTES:
                fresh.append(root_of(divided(tile)))
        level += 1
    return changed


def root_of(hashes: list[bytes]) -> bytes:
    """The root over the hashes of a full tile."""
    return _pyramid(hashes)[-1][0]


def widths(size: int) -> list[tuple[int, int]]:
    """What tiles a tree of `size` leaves has: how many hashes each level holds, as (level, count)."""
    found = []
    level, count = 0, size
    while count:
        found.append((level, count))
        level, count = level + 1, count // WIDTH
    return found


def tile_path(level: int | str, number: int, width: int = WIDTH) -> str:
    """Where a tile lies below the place of its log; of the level "entries", a bundle of entries."""
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < WIDTH else "")


class Tree:
    """The tree of the first `size` leaves, read from tiles."""

    def __init__(self, read: ReadTile, size: int) -> None:
        self._read, self.size = read, size
        self._tiles: dict[tuple[int, int], list[list[bytes]]] = {}

    def root(self) -> bytes:
        """The root of the whole tree."""
        return self._hash(0, self.size) if self.size else EMPTY

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that leaf `index` is in the tree (2.1.3.1); raises UsageError where there is none."""
        if not 0 <= index < self.size:
            raise UsageError(f"There is no entry {index}.", f"The log has {self.size}, counted from 0.")
        path, low, high = [], 0, self.size
        while high - low > 1:
            middle = low + split(high - low)
            if index < middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, first: int) -> list[bytes]:
        """The proof that the tree begins with its first `first` leaves (2.1.4.1); raises UsageError."""
        if not 0 <= first <= self.size:
            raise UsageError(f"The log has never had {first} entries.", f"It has {self.size}.")
        if first in (0, self.size):
            return []
        path, low, high = [], 0, self.size
        while high != first:
            middle = low + split(high - low)
            if first <= middle:
                path.append(self._hash(middle, high))
                high = middle
            else:
                path.append(self._hash(low, middle))
                low = middle
        if low:  # else the old root itself, which whoever checks knows
            path.append(self._hash(low, high))
        return path[::-1]

    def _hash(self, low: int, high: int) -> bytes:
        """The root over leaves `low` to `high`, where `low` lies on a border of subtrees as large."""
        whole: list[bytes] = []
        while low < high:
            level = (high - low).bit_length() - 1
            whole.append(self._subtree(level, low >> level))
            low += 1 << level
        found = whole.pop()
        while whole:
            found = node_hash(whole.pop(), found)
        return found

    def _subtree(self, level: int, index: int) -> bytes:
        """The root of subtree `index` among those of 2 ** level leaves."""
        row, rise = divmod(level, _HEIGHT)
        number, place = divmod(index, WIDTH >> rise)
        if (row, number) not in self._tiles:
            count = min(WIDTH, (self.size >> (_HEIGHT * row)) - number * WIDTH)
            hashes = self._read(row, number, count)[: count * HASH_BYTES]
            if len(hashes) < count * HASH_BYTES:
                raise LogError(
                    f"Tile {row}/{number} of the log is missing or cut short.", "Take a whole copy."
                )
            self._tiles[row, number] = _pyramid(divided(hashes))
        return self._tiles[row, number][rise][place]


def _pyramid(hashes: list[bytes]) -> list[list[bytes]]:
    """The hashes of a tile, and of the whole subtrees above them, level by level."""
    rows = [hashes]
    while len(rows[-1]) > 1:
        below = rows[-1]
        rows.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return rows


def divided(tile: bytes) -> list[bytes]:
    """The hashes of a tile, one by one."""
    return [tile[first : first + HASH_BYTES] for first in range(0, len(tile), HASH_BYTES)]
