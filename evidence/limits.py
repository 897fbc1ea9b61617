"""`DecodeLimits`: what a file may cost before it is refused. Set in the settings, held in the child."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeLimits:
    """Upper bounds for one medium; a file beyond one of them is `unable` with code `too_large`.

    Two are no such bounds: of a medium with more than `max_frames` so many are taken, spread evenly, and a
    decode that runs over `decode_seconds` is `timeout`.
    """

    max_bytes: int = 2 * 1024**3
    max_pixels: int = 100_000_000
    max_frames: int = 2_000
    max_seconds: float = 6 * 3600.0
    decode_seconds: float = 120.0
    child_memory_bytes: int = 3 * 1024**3
