"""Where moving pictures and sound keep what is said about them: boxes of MP4, elements of Matroska."""

from __future__ import annotations

import re
from collections.abc import Iterator

from provenance.metadata.place import DEEPEST, MOST_BLOCK_BYTES, Block, ByPlace, Ended
from provenance.metadata.stills import exif_in


def boxes(file: ByPlace) -> Iterator[Block]:
    """MP4, MOV and M4A, whose tags are boxes."""
    yield from _box(file, 0, file.size, "", 0)


def _box(file: ByPlace, place: int, end: int, inside: str, depth: int) -> Iterator[Block]:
    names: list[str] = []
    while place + 8 <= end:
        head = file.at(place, 8)
        size, kind, body = int.from_bytes(head[:4], "big"), head[4:], place + 8
        if size == 1:
            size, body = file.number(body, 8), body + 8
        stop = end if size == 0 else place + size
        if stop <= place or stop > end or stop < body:
            return
        path = f"{inside}/{kind.decode('latin-1')}"
        if kind == b"uuid" and file.at(body, 16) == _XMP_UUID:
            yield Block("xmp", "", file.at(body + 16, stop - body - 16))
        elif path == "/moov/udta/XMP_":
            yield Block("xmp", "", file.at(body, stop - body))
        elif path.endswith("/meta/keys"):
            names = list(_keys(file, body, stop))
        elif path.endswith("/ilst"):
            yield from _items(file, body, stop, names)
        elif path.endswith("/udta/\xa9" + path[-3:]) and stop - body >= 4:
            # QuickTime's international text: size, language, words.
            size = file.number(body, 2)
            yield Block("tag", path[-4:], file.at(body + 4, min(size, stop - body - 4)))
        elif path.endswith(_HOLDERS) and depth < DEEPEST:
            # A `meta` of MP4 begins with its version, one of QuickTime does not.
            skip = 4 if kind == b"meta" and file.at(body, 8)[4:] != b"hdlr" else 0
            yield from _box(file, body + skip, stop, path, depth + 1)
        place = stop


def _keys(file: ByPlace, place: int, end: int) -> Iterator[str]:
    """The names that the items of QuickTime are called by their number."""
    place += 8
    while place + 8 <= end:
        size = file.number(place, 4)
        if size < 8 or place + size > end:
            return
        yield file.at(place + 8, size - 8).decode("utf-8", "replace")
        place += size


def _items(file: ByPlace, place: int, end: int, names: list[str]) -> Iterator[Block]:
    while place + 8 <= end:
        head = file.at(place, 8)
        size, number = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        if size < 8 or place + size > end:
            return
        name = names[number - 1] if 0 < number <= len(names) else head[4:].decode("latin-1")
        data = file.at(place + 8, size - 8)
        if head[4:] == b"----":  # a name of one's own: mean, name, data
            name = data.partition(b"name")[2][4:].partition(b"data")[0][:-4].decode("utf-8", "replace")
        yield Block("tag", name, data.partition(b"data")[2][8:])
        place += size


def marked(file: ByPlace) -> Iterator[Block]:
    """AVIF, HEIC, JPEG XL, SVG and PDF: XMP and EXIF wherever they lie in the first and last bytes."""
    for start in sorted({0, max(0, file.size - MOST_BLOCK_BYTES)}):
        data = file.at(start, min(MOST_BLOCK_BYTES, file.size - start))
        for found in _PACKET.finditer(data):
            yield Block("xmp", "", found.group())
        for mark in re.finditer(rb"Exif\0\0(?=II\*\0|MM\0\*)", data):
            yield from exif_in(data[mark.end() :])


def matroska(file: ByPlace) -> Iterator[Block]:
    """WebM and Matroska: who wrote it, and the tags."""
    yield from _elements(file, 0, file.size, 0)


def _elements(file: ByPlace, place: int, end: int, depth: int) -> Iterator[Block]:
    name = b""
    while place < end:
        kind, place = _vint(file, place, keep=True)
        size, place = _vint(file, place, keep=False)
        stop = end if size < 0 else place + size
        if stop > end:
            return
        if kind in _EBML_HOLDERS and depth < DEEPEST:
            yield from _elements(file, place, stop, depth + 1)
        elif kind in _EBML_TEXTS:
            yield Block("tag", _EBML_TEXTS[kind], file.at(place, stop - place).rstrip(b"\0"))
        elif kind == 0x45A3:
            name = file.at(place, stop - place)[:80]
        elif kind == 0x4487:
            yield Block("tag", name.decode("utf-8", "replace"), file.at(place, stop - place).rstrip(b"\0"))
        place = stop


def _vint(file: ByPlace, place: int, *, keep: bool) -> tuple[int, int]:
    """A number of EBML and where it ends; `keep` its mark, as names do. -1 is an unknown size."""
    first = file.at(place, 1)[0]
    length = 9 - first.bit_length()
    if length > 8:
        raise Ended
    value = file.number(place, length)
    if not keep:
        value &= (1 << 7 * length) - 1
        if value == (1 << 7 * length) - 1:
            value = -1
    return value, place + length


_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_PACKET = re.compile(rb"<x:xmpmeta.{0,1000000}?</x:xmpmeta>", re.DOTALL)
_HOLDERS = ("/moov", "/moov/udta", "/moov/udta/meta", "/moov/meta", "/meta", "/moov/trak", "/moov/trak/udta")
_EBML_HOLDERS = (0x18538067, 0x1549A966, 0x1254C367, 0x7373, 0x67C8)  # Segment, Info, Tags, Tag, SimpleTag
_EBML_TEXTS = {0x4D80: "MuxingApp", 0x5741: "WritingApp", 0x7BA9: "Title"}
