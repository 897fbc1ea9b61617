"""From hashes that are near each other to media that look alike: one match a medium, frames in order."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from provenance.pdq import TURNS
from provenance.perceptual import Fingerprint
from provenance.seen import How

# Fewer key frames in order are chance, where both media have more.
LEAST_FRAMES = 2
# A turn and what undoes it: only the quarter turns are not their own.
_UNDONE = {5: 6, 6: 5}


@dataclass(frozen=True)
class Match:
    """A hash of a known `medium`, a row of its table, near a mark of the one asked about; or both media."""

    how: How
    medium: Any = None
    mark: int = 0
    turn: int = 0
    distance: int = 0
    seconds: float | None = None
    frames: int = 0
    of: int = 0
    offset_seconds: float | None = None

    @property
    def turned(self) -> str:
        """How the known medium was turned to become the one asked about."""
        return TURNS[_UNDONE.get(self.turn, self.turn)]


def resemblances(asked: Fingerprint, matches: Iterable[Match]) -> list[tuple[Any, Match]]:
    """Each medium that looks like the one asked about, with how; those that share most come first."""
    by_medium: dict[int, list[Match]] = defaultdict(list)
    for match in matches:
        by_medium[match.medium.id].append(match)
    found = [(one[0].medium, _best(asked, one)) for one in by_medium.values()]
    alike = [(medium, match) for medium, match in found if match is not None]
    return sorted(alike, key=lambda one: (_rank(one[1]), one[1].distance, -one[0].seen, one[0].id))


def _best(asked: Fingerprint, matches: Sequence[Match]) -> Match | None:
    moving = any(mark.seconds is not None for mark in asked.marks)
    if moving or matches[0].seconds is not None:
        turns = {match.turn for match in matches}
        chains = [_in_order(asked, [one for one in matches if one.turn == turn]) for turn in sorted(turns)]
        longest = max(chains, key=len)
        most = len(asked.marks) if moving else 1
        if len(longest) < min(LEAST_FRAMES, most) and matches[0].medium.kind != "image":
            return None
        return _film(asked, longest, most)
    parted = [one for one in matches if one.how == "part" or asked.marks[one.mark].part]
    whole = [one for one in matches if one not in parted]
    best = min(whole or parted, key=lambda one: one.distance)
    return Match("picture" if whole else "part", best.medium, turn=best.turn, distance=best.distance)


def _film(asked: Fingerprint, chain: Sequence[Match], of: int) -> Match:
    apart = [(one.seconds or 0.0) - (asked.marks[one.mark].seconds or 0.0) for one in chain]
    return Match(
        "frames",
        chain[0].medium,
        turn=chain[0].turn,
        distance=round(median(one.distance for one in chain)),
        frames=len(chain),
        of=of,
        offset_seconds=round(median(apart), 1),
    )


def _in_order(asked: Fingerprint, matches: Sequence[Match]) -> list[Match]:
    """The longest run of matches in which both media go forward, each frame of the one asked about once."""
    ordered = sorted(
        matches, key=lambda one: (asked.marks[one.mark].seconds or 0.0, -(one.seconds or 0.0), one.distance)
    )
    # Patience sorting: `ends[n]` is the least time at which a run of n + 1 ends, `before` leads back.
    ends: list[float] = []
    last: list[int] = []
    before: list[int | None] = []
    for number, one in enumerate(ordered):
        place = bisect_left(ends, one.seconds or 0.0)
        before.append(last[place - 1] if place else None)
        if place == len(ends):
            ends.append(one.seconds or 0.0)
            last.append(number)
        else:
            ends[place], last[place] = one.seconds or 0.0, number
    chain: list[Match] = []
    at: int | None = last[-1] if last else None
    while at is not None:
        chain.append(ordered[at])
        at = before[at]
    return chain[::-1]


def _rank(match: Match) -> float:
    """Whole pictures, then films by how much of them matches, then parts."""
    return {"picture": 0.0, "part": 2.0}.get(match.how, 1.0 - match.frames / max(1, match.of) / 2)
