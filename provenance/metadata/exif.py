"""The tags of EXIF and TIFF that say something in words, read by place and bounded.

A file that points at itself, outside itself, or at a million entries gives what was read until then.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

Read = Callable[[int, int], bytes]

MOST_ENTRIES = 512
MOST_TEXT_BYTES = 1 << 20
XMP_TAG, IPTC_TAG = 700, 33723
NAMES = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9286: "UserComment",
    0x9C9B: "XPTitle",
    0x9C9C: "XPComment",
    0x9C9D: "XPAuthor",
    0x9C9E: "XPKeywords",
    XMP_TAG: "XMP",
    IPTC_TAG: "IPTC",
}
_EXIF_TAG = 0x8769
_BYTES_OF = {1: 1, 2: 1, 4: 4, 6: 1, 7: 1}  # only types that can hold text, and the pointer


def tags(read: Read) -> Iterator[tuple[str, bytes]]:
    """The named tags of the first directory and of the EXIF directory below it, as (name, bytes).

    `read(place, count)` gives bytes counted from the header. What cannot be read raises what `read` raises.
    """
    head = read(0, 8)
    if head[:4] not in (b"II*\0", b"MM\0*"):
        return
    order = "<" if head[:2] == b"II" else ">"
    pending = [struct.unpack(f"{order}I", head[4:])[0]]
    seen: set[int] = set()
    while pending:
        place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        (count,) = struct.unpack(f"{order}H", read(place, 2))
        for number in range(min(count, MOST_ENTRIES)):
            tag, kind, length, value = struct.unpack(f"{order}HHI4s", read(place + 2 + 12 * number, 12))
            size = length * _BYTES_OF.get(kind, 0)
            if tag == _EXIF_TAG and len(seen) == 1:
                pending.append(struct.unpack(f"{order}I", value)[0])
            elif tag in NAMES and size > 0:
                where = struct.unpack(f"{order}I", value)[0]
                size = min(size, MOST_TEXT_BYTES)
                yield NAMES[tag], value[:size] if size <= 4 else read(where, size)


def as_text(name: str, data: bytes) -> str:
    """A tag's bytes in words, by the rules of EXIF for what has its own."""
    if name.startswith("XP"):
        return data.decode("utf-16-le", "replace").rstrip("\0 ")
    if name == "UserComment":
        kind = data[:8]
        data = data[8:] if kind in _COMMENT_KINDS else data
        if kind == b"UNICODE\0":
            # The standard does not say in which order; ordinary text has its zeros on one side.
            encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
            return data.decode(encoding, "replace").strip("\0 \ufeff")
    return data.decode("utf-8", "replace").strip("\0 ")


_COMMENT_KINDS = (b"UNICODE\0", b"ASCII\0\0\0", b"JIS\0\0\0\0\0", b"\0" * 8)
