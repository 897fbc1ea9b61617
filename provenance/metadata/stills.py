"""Where still pictures keep what is said about them: JPEG segments, PNG and RIFF chunks, tags of TIFF."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress

from provenance.metadata.exif import Read, tags
from provenance.metadata.place import DEEPEST, MOST_BLOCK_BYTES, Block, ByPlace, Ended, Kind


def jpeg(file: ByPlace) -> Iterator[Block]:
    place = 2
    more = b""
    try:
        while True:
            mark = file.at(place, 4)
            if mark[0] != 0xFF or mark[1] in (0xD9, 0xDA):
                return
            if mark[1] == 0xFF:
                place += 1
                continue
            size = int.from_bytes(mark[2:], "big")
            if mark[1] in _TELLING:
                body = file.at(place + 4, max(0, size - 2))
                if mark[1] == 0xFE:
                    yield Block("text", "comment", body)
                elif body.startswith(_XMP_MORE):
                    more += body[len(_XMP_MORE) + 40 :] if len(more) < MOST_BLOCK_BYTES else b""
                else:
                    yield from _app(body)
            place += 2 + max(2, size)
    finally:
        if more:
            yield Block("xmp", "", more)


def _app(body: bytes) -> Iterator[Block]:
    """An application segment of JPEG."""
    if body.startswith(b"Exif\0"):
        yield from exif_in(body[6:])
    elif body.startswith(_XMP):
        yield Block("xmp", "", body[len(_XMP) :])
    elif body.startswith(b"Photoshop 3.0\0"):
        yield from _photoshop(body[14:])


def _photoshop(data: bytes) -> Iterator[Block]:
    """The IPTC record among Photoshop's resources."""
    place = 0
    while data[place : place + 4] == b"8BIM":
        name = 1 + data[place + 6] if len(data) > place + 6 else 0
        place_of_size = place + 6 + name + name % 2
        size = int.from_bytes(data[place_of_size : place_of_size + 4], "big")
        if data[place + 4 : place + 6] == b"\x04\x04":
            yield Block("iptc", "", data[place_of_size + 4 : place_of_size + 4 + size])
        place = place_of_size + 4 + size + size % 2


def png(file: ByPlace) -> Iterator[Block]:
    place = 8
    while True:
        size = file.number(place, 4)
        kind = file.at(place + 4, 4)
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            yield from _png_text(kind, file.at(place + 8, size))
        elif kind == b"eXIf":
            yield from exif_in(file.at(place + 8, size))
        elif kind == b"IEND":
            return
        place += 12 + size


def _png_text(kind: bytes, body: bytes) -> Iterator[Block]:
    name, _, rest = body.partition(b"\0")
    keyword = name[:80].decode("latin-1")
    if kind == b"zTXt":
        rest = _unpacked(rest[1:])
    elif kind == b"iTXt":
        packed = rest[:1] == b"\1"
        text = rest[2:].split(b"\0", 2)[-1]
        rest = _unpacked(text) if packed else text
    else:
        rest = rest.decode("latin-1").encode()
    # EXIF in a text is how ImageMagick keeps it; XMP in one is the standard's way.
    yield Block("xmp" if keyword == "XML:com.adobe.xmp" else "text", keyword, rest)


def _unpacked(data: bytes) -> bytes:
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, MOST_BLOCK_BYTES)
    return b""


def riff(file: ByPlace, start: int = 12, end: int | None = None, depth: int = 0) -> Iterator[Block]:
    """WebP, AVI and WAV."""
    place, end = start, file.size if end is None else end
    while place + 8 <= end:
        head = file.at(place, 8)
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"LIST" and depth < DEEPEST and file.at(place + 8, 4) in (b"INFO", b"hdrl"):
            yield from riff(file, place + 12, min(end, place + 8 + size), depth + 1)
        elif kind == b"EXIF":
            yield from exif_in(file.at(place + 8, size).removeprefix(b"Exif\0\0"))
        elif kind in (b"XMP ", b"_PMX"):
            yield Block("xmp", "", file.at(place + 8, size))
        elif depth and kind.startswith(b"I") and kind.isalpha():
            yield Block("tag", kind.decode("ascii"), file.at(place + 8, size).rstrip(b"\0"))
        place += 8 + size + size % 2


def gif(file: ByPlace) -> Iterator[Block]:
    packed = file.at(10, 1)[0]
    place = 13 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
    while True:
        mark = file.at(place, 2)
        if mark[0] == 0x21:
            place += 2
            if mark[1] == 0xFE:
                data, place = _sub_blocks(file, place)
                yield Block("text", "comment", data)
                continue
            if mark[1] == 0xFF and file.at(place, 12)[1:] == b"XMP DataXMP":
                found = file.at(place + 12, min(MOST_BLOCK_BYTES, file.size - place - 12))
                yield Block("xmp", "", found.partition(b"<?xpacket end=")[0])
        elif mark[0] == 0x2C:
            packed = file.at(place + 9, 1)[0]
            place += 11 + (3 << (packed & 7) + 1 if packed & 0x80 else 0)
        else:
            return
        _, place = _sub_blocks(file, place)


def _sub_blocks(file: ByPlace, place: int) -> tuple[bytes, int]:
    """The joined pieces of up to 255 bytes, and where they end."""
    found = b""
    while size := file.at(place, 1)[0]:
        if len(found) < MOST_BLOCK_BYTES:
            found += file.at(place + 1, size)
        place += 1 + size
    return found, place + 1


def tiff(file: ByPlace) -> Iterator[Block]:
    """TIFF and DNG are EXIF all through."""
    yield from _exif(file.at)


def _exif(read: Read) -> Iterator[Block]:
    """The tags of a block of EXIF; two of them hold a block of another kind."""
    for name, data in tags(read):
        kinds: dict[str, Kind] = {"XMP": "xmp", "IPTC": "iptc"}
        yield Block(kinds.get(name, "exif"), name, data)


def exif_in(data: bytes) -> Iterator[Block]:
    def read(place: int, count: int) -> bytes:
        if place + count > len(data):
            raise Ended
        return data[place : place + count]

    with suppress(Ended):  # the block is broken, the file around it is not
        yield from _exif(read)


_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_TELLING = (0xE1, 0xED, 0xFE)
