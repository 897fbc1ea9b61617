"""A folder as a tar that is made while it is sent, from any byte on: nothing is stored twice.

The same files give the same bytes, so that a download which broke off goes on where it was.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class _Piece:
    """Bytes that are at hand, or those of a file; `size` may reach into zeros behind them."""

    content: bytes | Path
    size: int


class Packed:
    """The tar of the files below `root`, under `name`, and of `more` beside them; dated `date`."""

    def __init__(self, root: Path, name: str, *, date: int, more: Mapping[str, bytes] | None = None) -> None:
        found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        members: dict[str, bytes | Path] = {**found, **(more or {})}
        self._pieces = [
            piece
            for inside in sorted(members)
            for piece in _member(f"{name}/{inside}", members[inside], date)
        ]
        self._pieces.append(_Piece(_END, len(_END)))

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return sum(piece.size for piece in self._pieces)

    def read(self, first: int, end: int) -> Iterator[bytes]:
        """The bytes from `first` up to `end`, in chunks."""
        at = 0
        for piece in self._pieces:
            low, high = max(first, at) - at, min(end, at + piece.size) - at
            if low < high:
                yield from _part(piece, low, high)
            at += piece.size


def wanted_part(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and end of a `Range`; the whole for none, or one in several parts; None for one beyond."""
    found = _RANGE.fullmatch(asked.replace(" ", ""))
    if not found or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        first, end = max(0, size - int(found[2])), size
    else:
        first, end = int(found[1]), min(size, int(found[2]) + 1) if found[2] else size
    return (first, end) if first < end else None


def _member(name: str, content: bytes | Path, date: int) -> Iterator[_Piece]:
    member = tarfile.TarInfo(name)
    member.size = len(content) if isinstance(content, bytes) else content.stat().st_size
    member.mtime = date
    header = member.tobuf(tarfile.PAX_FORMAT)
    yield _Piece(header, len(header))
    yield _Piece(content, -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)


def _part(piece: _Piece, low: int, high: int) -> Iterator[bytes]:
    opened = io.BytesIO(piece.content) if isinstance(piece.content, bytes) else piece.content.open("rb")
    with opened as stream:
        stream.seek(low)
        while low < high:
            chunk = stream.read(min(CHUNK_BYTES, high - low)) or bytes(min(CHUNK_BYTES, high - low))
            low += len(chunk)
            yield chunk
