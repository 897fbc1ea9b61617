"""Clips of a recipe: how long, by which codec and at which quality; and the one that an order is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence.video_writer import CODECS, can_encode
from exports.chance import Rng
from testsets.document import Table, nearest

LEAST_FRAMES = 8


@dataclass(frozen=True)
class Clips:
    """What `[clips]` says: a set of videos, `frames` each at most, written by one of `codecs` at a CRF."""

    frames: int = 48
    codecs: tuple[str, ...] = ("h264",)
    crf: tuple[int, int] = (20, 28)

    def drawn(self, rng: Rng) -> Shot:
        """One clip with all settled that was left open."""
        low, high = self.crf
        return Shot(
            self.frames, float(rng.random()), str(rng.choice(self.codecs)), int(rng.integers(low, high + 1))
        )


@dataclass(frozen=True)
class Shot:
    """A clip of an order: so many frames, `begin` of the way into what is left of the video beside them."""

    frames: int
    begin: float
    codec: str
    crf: int

    def row(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return dict(vars(self))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Shot:
        """The shot that `row` wrote down."""
        return cls(**row)


def clips_of(table: Table) -> Clips:
    """What the table `[clips]` says; raises RecipeError."""
    codecs = table.texts("codec") or Clips.codecs
    for codec in codecs:
        if codec not in CODECS:
            raise table.wrong(
                "codec", f"There is no codec {codec!r}.", f"There are {nearest(codec, CODECS)}."
            )
        if not can_encode(codec):
            raise table.wrong(
                "codec", f"{codec} cannot be written here.", "Install PyAV from its own wheels."
            )
    crf = table.numbers("crf", 2) or Clips.crf
    if not 0 <= crf[0] <= crf[1] <= 51:
        raise table.wrong(
            "crf", f"crf is [{crf[0]:g}, {crf[1]:g}].", "It is two numbers from 0 to 51, such as [20, 28]."
        )
    frames = table.whole("frames", Clips.frames, least=LEAST_FRAMES) or Clips.frames
    table.close()
    return Clips(frames, codecs, (int(crf[0]), int(crf[1])))
