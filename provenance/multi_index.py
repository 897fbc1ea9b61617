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

    tail = 16_384

    def __init__(self) -> None:
        self._hashes = Growing(np.uint64, width=(4,))
        self._words, self._sorted = _sort(self._hashes.rows), 0

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, hashes: Hashes) -> None:
        """Further rows."""
        self._hashes.add(_as_longs(hashes))
        if len(self) - self._sorted > self.tail:
            self._words, self._sorted = _sort(self._hashes.rows), len(self)

    def near(self, one: NDArray[np.uint8]) -> tuple[Rows, NDArray[np.int64]]:
        """The rows within `RADIUS` bits of a hash (32,), in their order, and how many bits each differs."""
        candidates = self._candidates(one)
        tail = np.arange(self._sorted, len(self))
        rows = np.concatenate([candidates, tail])
        differing = np.bitwise_count(self._hashes.rows[rows] ^ _as_longs(one[None])).sum(1, dtype=np.int64)
        close = differing <= RADIUS
        return rows[close], differing[close]

    def _candidates(self, one: NDArray[np.uint8]) -> Rows:
        wanted = np.ascontiguousarray(one).view(np.uint16)[:, None] ^ _NEAR  # (16, 17)
        word = np.arange(_WORDS)[:, None]
        first = self._words.starts[word, wanted].ravel()
        lengths = self._words.starts[word, wanted.astype(np.int64) + 1].ravel() - first
        if lengths.sum() > self._sorted:  # many alike: to look at all of them once is less
            return np.arange(self._sorted)
        ends = np.cumsum(lengths)
        place = np.arange(ends[-1]) + np.repeat(first - (ends - lengths), lengths)
        row_of_word = np.repeat(np.repeat(np.arange(_WORDS), len(_NEAR)), lengths)
        found = self._words.order[row_of_word, place]
        return np.unique(found).astype(np.int64)


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
