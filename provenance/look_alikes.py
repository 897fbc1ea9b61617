"""Pictures of one collection that look the same, as they come: re-encoded, resized, a little changed."""

from __future__ import annotations

import numpy as np

from evidence.medium import Pixels
from provenance.multi_index import MultiIndex
from provenance.pdq import LEAST_QUALITY, pdq


class LookAlikes:
    """The PDQ hashes of the pictures so far, by the order in which they came."""

    def __init__(self) -> None:
        self._index = MultiIndex()
        self._numbers: list[int] = []  # of the pictures that are in the index
        self._count = 0

    def add(self, pixels: Pixels) -> list[int]:
        """Remember one more, and name the earlier ones within PDQ's radius.

        A picture with too little in it to be told from others is counted and never named.
        """
        number = self._count
        self._count += 1
        found, quality = pdq(pixels)
        if quality < LEAST_QUALITY:
            return []
        one = np.frombuffer(found, np.uint8)[None]
        _, rows, _ = self._index.near(one)
        self._index.add(one)
        self._numbers.append(number)
        return [self._numbers[int(row)] for row in rows]
