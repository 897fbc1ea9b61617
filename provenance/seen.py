"""What the registry says of a medium: where it, or one that looks like it, was seen before."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Origin = Literal["scanned", "generated", "flagged", "imported"]
How = Literal["bytes", "picture", "part", "frames"]

# How often two different photographs are within 31 bits, a comparison: `benchmarks/registry.py` measures it.
FALSE_MATCH_RATE = 1e-6

_ORIGINS = {
    "scanned": "scanned", "generated": "generated here", "flagged": "flagged",
    "imported": "on an imported list",
}  # fmt: skip


@dataclass(frozen=True)
class Sighting:
    """A medium of the registry that is, or looks like, the one that was asked about.

    `how` they are alike: every byte, the whole picture, a part of it, or key frames, of which `frames` of
    `of` match, in order, `offset_seconds` later in that one. `distance` is in bits of 256, None for the same
    bytes.
    `turned` says how that one lies against this one.
    """

    origin: Origin
    how: How
    distance: int | None
    sha256: str
    kind: str
    name: str
    source: str
    note: str
    job: str
    seen: str
    turned: str = ""
    frames: int = 0
    of: int = 0
    offset_seconds: float | None = None

    @property
    def false_match_rate(self) -> float:
        """How often two different media are said to be alike, a comparison; 0 for the same bytes."""
        return 0.0 if self.how == "bytes" else FALSE_MATCH_RATE


@dataclass(frozen=True)
class Seen:
    """Where a medium was seen before, the surest first. `compared` counts hashes it was compared with.

    `known` is False when there was too little in the picture to look for it by more than its bytes.
    """

    sightings: tuple[Sighting, ...] = ()
    left_out: int = 0
    compared: int = 0
    known: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "sightings": self.rows(),
            "left_out": self.left_out,
            "compared": self.compared,
            "looked_for": "picture" if self.known else "bytes",
        }

    def rows(self) -> list[dict[str, Any]]:
        """The sightings as a report shows them in `near_duplicates`."""
        return [{**asdict(one), "false_match_rate": one.false_match_rate} for one in self.sightings]


def sighting_words(sighting: Sighting) -> str:
    """One sighting as a sentence."""
    when, name = sighting.seen[:10], f" as {sighting.name}" if sighting.name else ""
    where = f"{_ORIGINS[sighting.origin]}{name}"
    source = f", {sighting.source}" if sighting.source else ""
    note = f": {sighting.note}" if sighting.note else ""
    return f"{_like(sighting)} was {where} on {when}{source}{note}."


def rate_words(sighting: Sighting) -> str:
    """How far a sighting can be believed."""
    if sighting.how == "bytes":
        return "Its sha256 is the same."
    return (
        f"The hashes differ by {sighting.distance} of 256 bits; of different photographs fewer than one in "
        f"{round(1 / FALSE_MATCH_RATE):,} comparisons come so close."
    ).replace(",", " ")


def day_of(seconds: float) -> str:
    """A time as a report writes it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _like(sighting: Sighting) -> str:
    turned = f", {sighting.turned}," if sighting.turned else ""
    if sighting.how == "bytes":
        return "This very file"
    if sighting.how == "picture":
        return f"This picture{turned}"
    if sighting.how == "part":
        return "A picture that shares a part with this one"
    later = sighting.offset_seconds or 0.0
    shifted = f", {abs(later):.1f} s {'later' if later > 0 else 'earlier'} in it," if abs(later) >= 1 else ""
    frames = "key frame" if sighting.of == 1 else "key frames"
    return f"A {sighting.kind} with {sighting.frames} of {sighting.of} {frames}{turned}{shifted}"
