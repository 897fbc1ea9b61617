"""A log as a folder of files in the layout of c2sp.org/tlog-tiles, for any web server to hand out.

Whoever mirrors it can check all of it: `checkpoint` is the signed head, `tile/` the tree, `tile/entries/` the
entries behind it, each with its length in two bytes. Full tiles never change, so exporting again adds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from evidence.files import write_whole
from provenance.transparency.audit import Source
from provenance.transparency.errors import LogError
from provenance.transparency.merkle import HASH_BYTES
from provenance.transparency.notes import MOST_BYTES
from provenance.transparency.tiles import WIDTH, tile_path, widths

HEAD = "checkpoint"
_BUNDLES = "entries"
_LENGTH = 2  # bytes before an entry that say how long it is


def export(source: Source, size: int, note: str, folder: Path) -> int:
    """Write the log that a signed head of this size tells of; how many files were new.

    The head comes last: it never tells of what is not there yet. Raises LogError, OutputError.
    """
    written = 0
    for level, count in widths(size):
        for number, width in _row(count):
            hashes = source.tile(level, number, width)[: width * HASH_BYTES]
            if len(hashes) < width * HASH_BYTES:
                raise LogError(
                    f"Tile {level}/{number} of the log is missing or cut short.", "Verify the log."
                )
            written += _put(folder, tile_path(level, number, width), hashes)
            if level == 0 and not (folder / tile_path(_BUNDLES, number, width)).is_file():
                written += _put(folder, tile_path(_BUNDLES, number, width), bundle(source, number, width))
    write_whole(folder / HEAD, note.encode())
    _tidy(folder, size)
    return written


def bundle(source: Source, number: int, width: int) -> bytes:
    """The entries behind a tile of leaves, as they lie in its file. Raises LogError where one is missing."""
    first = number * WIDTH
    found = dict(source.entries(first, width))
    if sorted(found) != list(range(first, first + width)):
        raise LogError(f"Entries behind {first} are missing from the log.", "Verify the log.")
    return b"".join(len(entry).to_bytes(_LENGTH, "big") + entry for _, entry in sorted(found.items()))


class Folder:
    """A log that was exported, of the size that its head tells of."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size

    def tile(self, level: int, number: int, count: int) -> bytes:
        """The hashes of a tile; none where there is no such file."""
        held = dict(widths(self._size)).get(level, 0) - number * WIDTH
        return self._read(tile_path(level, number, max(1, min(WIDTH, held))))

    def entries(self, first: int, count: int) -> Iterator[tuple[int, bytes]]:
        """Entries from position `first` on, as many as its file holds and are wanted."""
        number = first // WIDTH
        data = self._read(tile_path(_BUNDLES, number, min(WIDTH, self._size - number * WIDTH)))
        position, at = number * WIDTH, 0
        while at + _LENGTH <= len(data) and position < first + count:
            end = at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "big")
            if first <= position and end <= len(data):
                yield position, data[at + _LENGTH : end]
            position, at = position + 1, end

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError:
            return b""


def head_in(folder: Path) -> str:
    """The signed head of an exported log. Raises LogError where there is none."""
    try:
        with (folder / HEAD).open("rb") as file:
            return file.read(MOST_BYTES + 1).decode()
    except (OSError, ValueError) as error:
        raise LogError(
            f"{folder} is no exported log: {HEAD} cannot be read ({error}).",
            "`touchstone log export` makes one.",
        ) from None


def _row(count: int) -> Iterator[tuple[int, int]]:
    """The tiles that hold so many hashes, with their widths."""
    for number in range(-(-count // WIDTH)):
        yield number, min(WIDTH, count - number * WIDTH)


def _put(folder: Path, path: str, content: bytes) -> bool:
    if (folder / path).is_file():
        return False
    write_whole(folder / path, content)
    return True


def _tidy(folder: Path, size: int) -> None:
    """Delete partial tiles whose full ones are there."""
    for level, count in widths(size):
        last = count // WIDTH - 1
        if last < 0:
            continue
        for name in (level, _BUNDLES) if level == 0 else (level,):
            shutil.rmtree(folder / (tile_path(name, last) + ".p"), ignore_errors=True)
