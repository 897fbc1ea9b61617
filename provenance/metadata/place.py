"""A file read by place, in steps that are counted: what every walk through a format's blocks stands on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Literal

MOST_BLOCK_BYTES = 1 << 20
MOST_STEPS = 20_000  # chunks, segments and boxes that are passed over on the way
DEEPEST = 8

Kind = Literal["text", "exif", "xmp", "iptc", "tag"]


@dataclass(frozen=True)
class Block:
    """Bytes that say something: of a text or a tag `name` is what the format calls it."""

    kind: Kind
    name: str
    data: bytes


class Ended(Exception):
    """Raised where a file ends before it should, or goes on without end."""


class ByPlace:
    """A file read by place; it counts its steps, so that no walk is without end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self._steps = 0

    def at(self, place: int, count: int) -> bytes:
        """`count` bytes at a place, fewer only where a block would be cut anyway."""
        self._steps += 1
        if place < 0 or count < 0 or place + count > self.size or self._steps > MOST_STEPS:
            raise Ended
        self._file.seek(place)
        return self._file.read(min(count, MOST_BLOCK_BYTES))

    def number(self, place: int, count: int, order: Literal["big", "little"] = "big") -> int:
        return int.from_bytes(self.at(place, count), order)
