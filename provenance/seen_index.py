"""The index of a registry in memory: read from its tables once, and then read on before each question.

A million hashes take 110 MB and some seconds to read. Rows that were deleted since are still in it for up to
an hour; whoever asks looks each hit up in the tables.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from provenance.multi_index import Growing, MultiIndex
from provenance.pdq import BYTES, Hash
from provenance.perceptual import Fingerprint
from provenance.registry_tables import hashes

AFRESH_SECONDS = 3_600.0
TURNED_FRAMES = 16  # key frames of a video that are looked for mirrored and turned too, spread over it

_AT_ONCE = 50_000


@dataclass(frozen=True)
class Hit:
    """A row of `registry_hashes` that is near a mark of a fingerprint, in its `turn` of `pdq.TURNS`."""

    mark: int
    turn: int
    row: int
    distance: int


class SeenIndex:
    """All hashes of all tenants, each with whose it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last, self._stale = 0, 0.0
        self._clear()

    def read_on(self, connection: Connection) -> None:
        """Read what was entered since; all of it when the last time was long ago, or nothing was read yet."""
        with self._lock:
            if time.monotonic() > self._stale:
                self._clear()
            wanted = select(hashes.c.id, hashes.c.tenant, hashes.c.pdq).order_by(hashes.c.id)
            while rows := connection.execute(wanted.where(hashes.c.id > self._last).limit(_AT_ONCE)).all():
                self._last = rows[-1].id
                self._rows.add(np.array([row.id for row in rows], np.int64))
                numbers = [self._tenants.setdefault(row.tenant, len(self._tenants)) for row in rows]
                self._whose.add(np.array(numbers, np.int32))
                self._counts.update(row.tenant for row in rows)
                joined = b"".join(row.pdq for row in rows)
                self._hashes.add(np.frombuffer(joined, np.uint8).reshape(-1, BYTES))

    def near(self, fingerprints: Sequence[Fingerprint], whose: Sequence[str]) -> list[list[Hit]]:
        """For each, what is within the radius of any of its marks, of these tenants alone."""
        asked = [(at, *one) for at, marks in enumerate(fingerprints) for one in _questions(marks)]
        wanted = np.frombuffer(b"".join(one for *_, one in asked), np.uint8).reshape(-1, BYTES)
        with self._lock:
            numbers = [self._tenants[tenant] for tenant in whose if tenant in self._tenants]
            which, places, bits = self._hashes.near(wanted)
            theirs = np.isin(self._whose.rows[places], numbers)
            rows = self._rows.rows[places[theirs]].tolist()
        found: list[list[Hit]] = [[] for _ in fingerprints]
        for number, row, apart in zip(which[theirs].tolist(), rows, bits[theirs].tolist(), strict=True):
            at, mark, turn, _ = asked[number]
            found[at].append(Hit(mark, turn, row, apart))
        return found

    def count(self, whose: Sequence[str]) -> int:
        """How many hashes these tenants have."""
        with self._lock:
            return sum(self._counts[tenant] for tenant in whose)

    def _clear(self) -> None:
        self._hashes, self._rows, self._whose = MultiIndex(), Growing(np.int64), Growing(np.int32)
        self._tenants: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._last = 0
        self._stale = time.monotonic() + AFRESH_SECONDS


def _questions(fingerprint: Fingerprint) -> Iterator[tuple[int, int, Hash]]:
    """What to look for: (mark, turn, hash)."""
    step = -(-len(fingerprint.marks) // TURNED_FRAMES)
    for number, mark in enumerate(fingerprint.marks):
        yield number, 0, mark.hash
        if mark.seconds is None or number % step == 0:
            yield from ((number, turn, one) for turn, one in enumerate(mark.turned, 1))
