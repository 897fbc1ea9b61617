"""Checking a whole log: every entry against every node above it, and the tree against signed heads.

An entry or a node that somebody edited is found by its place. Who edits an entry and every node above it ends
at another root than a head says that was signed before: so keep heads, or reports with their proofs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from provenance.transparency.canonical import canonical
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import leaf_hash
from provenance.transparency.notes import Head
from provenance.transparency.tiles import WIDTH, Tree, divided, root_of, widths

Code = Literal["entry_changed", "entry_missing", "entry_misfiled", "node_changed", "truncated", "other_root"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was."""

    code: Code
    message: str


class Source(Protocol):
    """Where a log lies."""

    def entries(self, first: int, count: int) -> Iterable[tuple[int, bytes]]:
        """Up to `count` entries from position `first` on, with their positions."""
        ...

    def tile(self, level: int, number: int, count: int) -> bytes:
        """The hashes of a tile, of which at least `count` are wanted; fewer where they are gone."""
        ...


def audit(source: Source, size: int, heads: Sequence[Head]) -> Iterator[Finding]:
    """What is wrong with the log of this size, of which `heads` were signed."""
    above: list[bytes] = []
    for first in range(0, size, WIDTH):
        count = min(WIDTH, size - first)
        leaves: list[bytes | None] = []
        yield from _leaves(source, first, count, leaves)
        kept = divided(source.tile(0, first // WIDTH, count))
        yield from _compared(0, first // WIDTH, leaves, kept)
        if count == WIDTH:
            above.append(root_of(kept) if len(kept) == WIDTH else b"")
    for level, count in widths(size)[1:]:
        rows = [above[first : first + WIDTH] for first in range(0, count, WIDTH)]
        above = []
        for number, row in enumerate(rows):
            kept = divided(source.tile(level, number, len(row)))
            yield from _compared(level, number, row, kept)
            if len(row) == WIDTH:
                above.append(root_of(kept) if len(kept) == WIDTH else b"")
    for head in heads:
        yield from _under(source, size, head)


def _leaves(source: Source, first: int, count: int, into: list[bytes | None]) -> Iterator[Finding]:
    """The hashes of entries as they are; None where one is missing."""
    found = dict(source.entries(first, count))
    for position in range(first, first + count):
        entry = found.get(position)
        if entry is None:
            yield Finding("entry_missing", f"Entry {position} is missing.")
        elif not _is_canonical(entry):
            yield Finding("entry_changed", f"Entry {position} is no entry any more.")
            entry = None
        into.append(None if entry is None else leaf_hash(entry))


def _compared(
    level: int, number: int, fresh: Sequence[bytes | None], kept: Sequence[bytes]
) -> Iterator[Finding]:
    """Where a tile does not say what lies below it."""
    if len(kept) != len(fresh):
        yield Finding(
            "node_changed", f"Tile {level}/{number} holds {len(kept)} hashes, {len(fresh)} belong there."
        )
    for at, (below, above) in enumerate(zip(fresh, kept, strict=False)):
        if below is None or below == above:
            continue
        place = number * WIDTH + at
        if level == 0:
            yield Finding("entry_changed", f"Entry {place} is not what was logged, or its hash was changed.")
        else:
            yield Finding("node_changed", f"Hash {place} of level {level} is not the root of what is below.")


def _under(source: Source, size: int, head: Head) -> Iterator[Finding]:
    """Whether a signed head is of this log."""
    if head.size > size:
        yield Finding(
            "truncated", f"A signed head tells of {head.size} entries, the log has {size}: the rest is gone."
        )
        return
    try:
        root = Tree(source.tile, head.size).root()
    except LogError:
        return  # the tile was named above
    if root != head.root:
        yield Finding(
            "other_root", f"The first {head.size} entries are not those that a signed head tells of."
        )


def _is_canonical(entry: bytes) -> bool:
    try:
        return canonical(json.loads(entry)) == entry
    except (ValueError, RecursionError, LogError):
        return False
