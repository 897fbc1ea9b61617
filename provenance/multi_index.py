"""Exact search for all hashes within 31 bits of another: Norouzi, Punjani and Fleet, "Fast search in Hamming
space with multi-index hashing", CVPR 2012 (arXiv 1307.2982).

256 bits are 16 words of 16. Two hashes that differ by no more than 31 bits differ by no more than one in at
least one of their words, so 16 x 17 look-ups give every candidate; each is then compared in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.pdq import RADIUS, Hashes

_WORDS = 16
_VALUES = 1 << 16
# A word and all that differ from it by one bit, as what to XOR it with.
_NEAR = np.concatenate([[0], 1 << np.arange(_WORDS)]).astype(np.uint16)

# Of a hash's four numbers so many are compared first: almost nothing is within the radius on them alone.
_HALF = 2

# So many hashes are looked for at once: more takes no less time, and room in memory for what is compared.
_ASKED = 64

Rows = NDArray[np.int64]


class Growing:
    """An array that rows are added to at its end; `rows` are those so far."""

    def __init__(self, dtype: Any, *, width: tuple[int, ...] = ()) -> None:
        self._held = np.empty((0, *width), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[Any]:
        return self._held[: self._count]

    def add(self, rows: NDArray[Any]) -> None:
        """Further rows; room is made a quarter at a time."""
        end = self._count + len(rows)
        if end > len(self._held):
            larger = np.empty((max(end, len(self._held) * 5 // 4), *self._held.shape[1:]), self._held.dtype)
            larger[: self._count] = self.rows
            self._held = larger
        self._held[self._count : end] = rows
        self._count = end


@dataclass(frozen=True)
class _Words:
    """Hashes sorted by each of their words: of value v, `order[starts[v] : starts[v + 1]]`."""

    order: NDArray[np.int32]  # (16, n)
    starts: NDArray[np.int32]  # (16, 65 537)


class MultiIndex:
    """Hashes (n, 32) by the number of their row; new ones wait until sorting them in is worth it."""

    tail = 2_048  # or a 64th of all, if that is more

    def __init__(self) -> None:
        self._hashes = Growing(np.uint64, width=(4,))
        self._words, self._sorted = _sort(self._hashes.rows), 0

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, hashes: Hashes) -> None:
        """Further rows."""
        self._hashes.add(_as_longs(hashes))
        if len(self) - self._sorted > max(self.tail, len(self) // 64):
            self._words, self._sorted = _sort(self._hashes.rows), len(self)

    def near(self, asked: Hashes) -> tuple[Rows, Rows, Rows]:
        """What is within `RADIUS` bits of any of some hashes (n, 32), in order.

        Which of them, the row, and by how many bits the two differ.
        """
        longs = _as_longs(asked)
        found = [self._near(longs[first : first + _ASKED], first) for first in range(0, len(longs), _ASKED)]
        pairs = np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
        which, rows = np.divmod(pairs, max(1, len(self)))
        return which, rows, np.bitwise_count(self._hashes.rows[rows] ^ longs[which]).sum(1, dtype=np.int64)

    def _near(self, asked: NDArray[np.uint64], first: int) -> Rows:
        """What `_close` gives, of some hashes of which the first has this number."""
        which, rows, many = self._candidates(asked)
        found = [self._close(asked, which, rows), self._close_from(self._sorted, asked)]
        found += [self._close_from(0, asked[one : one + 1]) + one * len(self) for one in np.flatnonzero(many)]
        return np.concatenate(found) + first * len(self)

    def _candidates(self, asked: NDArray[np.uint64]) -> tuple[Rows, Rows, NDArray[np.bool_]]:
        """Which hash may be near which sorted row; and whose are so many that every row is looked at."""
        wanted = asked.view(np.uint16)[:, :, None] ^ _NEAR  # (n, 16, 17)
        word = np.arange(_WORDS)[:, None]
        first = self._words.starts[word, wanted]
        lengths = self._words.starts[word, wanted.astype(np.int64) + 1] - first
        many = lengths.sum((1, 2)) > self._sorted
        lengths[many] = 0
        which = np.repeat(np.arange(len(asked)), lengths.sum((1, 2)))
        lengths, first = lengths.ravel(), (first + word * self._sorted).ravel()  # in all orders, one by one
        place = np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(which))
        return which, self._words.order.ravel().take(place).astype(np.int64), many

    def _close(self, asked: NDArray[np.uint64], which: Rows, rows: Rows) -> Rows:
        """Those of the pairs that are near each other, each as one number, `which * len(self) + row`."""
        held, wanted = self._hashes.rows.ravel(), asked.ravel()
        half = np.bitwise_count(held.take(4 * rows) ^ wanted.take(4 * which))
        for word in range(1, _HALF):
            half += np.bitwise_count(held.take(4 * rows + word) ^ wanted.take(4 * which + word))
        likely = np.flatnonzero(half <= RADIUS)
        which, rows = which[likely], rows[likely]
        differing = np.bitwise_count(self._hashes.rows[rows] ^ asked[which]).sum(1, dtype=np.int64)
        close = differing <= RADIUS
        return np.asarray(which[close] * len(self) + rows[close], np.int64)

    def _close_from(self, first: int, asked: NDArray[np.uint64]) -> Rows:
        """The same with every row from `first` on."""
        held = self._hashes.rows[first:]
        half = np.bitwise_count(asked[:, :1] ^ held[:, 0])
        for word in range(1, _HALF):
            half += np.bitwise_count(asked[:, word, None] ^ held[:, word])
        which, rows = np.divmod(np.flatnonzero(half <= RADIUS), max(1, len(held)))
        return self._close(asked, which, first + rows)


def _as_longs(hashes: Hashes) -> NDArray[np.uint64]:
    return np.ascontiguousarray(hashes).view(np.uint64)


def _sort(hashes: NDArray[np.uint64]) -> _Words:
    words = hashes.view(np.uint16)  # (n, 16)
    order = np.empty((_WORDS, len(words)), np.int32)
    starts = np.zeros((_WORDS, _VALUES + 1), np.int32)
    for number in range(_WORDS):
        word = words[:, number]
        order[number] = np.argsort(word, kind="stable")
        starts[number, 1:] = np.cumsum(np.bincount(word, minlength=_VALUES))
    return _Words(order, starts)
