"""Marks what the suite makes, in the file itself: IPTC's source type as XMP, and Content Credentials.

Both are written into the bytes that are delivered; who copies the pixels alone leaves them behind.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evidence.limits import DecodeLimits
from evidence.source import open_media
from provenance.c2pa import SigningKey
from provenance.formats import READABLE, media_type
from provenance.signing import IPTC, Statement, sign_content

GENERATED = "trainedAlgorithmicMedia"
ALTERED = "compositeWithTrainedAlgorithmicMedia"


@dataclass(frozen=True)
class Origin:
    """What made a file: the tool's name, and the picture that it changed, if it changed one.

    `parent_title` is what that is called, if not by its file's name.
    """

    tool: str
    title: str
    parent: Path | None = None
    parent_title: str = ""

    @property
    def source_type(self) -> str:
        """The digital source type of IPTC: made from nothing, or from a picture."""
        return GENERATED if self.parent is None else ALTERED


def mark(content: bytes, suffix: str, origin: Origin, key: SigningKey) -> bytes:
    """The file `content` (PNG, JPEG, GIF or MP4, by its suffix) with XMP and Content Credentials.

    The pixels stay as they are to the bit. The manifest tells the parent as an ingredient where its format
    is one that can be told. Raises SigningError.
    """
    with_xmp = _WRITERS[suffix](content, _packet(origin))
    parent = None if origin.parent is None else _tellable(origin.parent)
    statement = Statement(
        "generated" if parent is None else "edited",
        title=origin.title,
        source_type=origin.source_type,
        agent=origin.tool,
        parent=parent,
        parent_title=origin.parent_title,
    )
    return sign_content(with_xmp, statement, key)


def _tellable(parent: Path) -> Path | None:
    with open_media(parent, DecodeLimits()) as file:
        return parent if media_type(file) in READABLE else None


def _packet(origin: Origin) -> bytes:
    """An XMP packet that says how the file came to be (IPTC Photo Metadata 2025.1, `DigitalSourceType`)."""
    tool = "".join(f"&#{ord(c)};" if c in "<>&\"'" else c for c in origin.tool)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmp:CreatorTool="{tool}" Iptc4xmpExt:DigitalSourceType="{IPTC}{origin.source_type}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def _into_png(content: bytes, packet: bytes) -> bytes:
    """As an iTXt chunk behind IHDR, which is the first and has 13 bytes (PNG 11.3.3.4; XMP part 3, 1.1.5)."""
    body = b"iTXt" + b"XML:com.adobe.xmp\0\0\0\0\0" + packet
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content[:33] + chunk + content[33:]


def _into_jpeg(content: bytes, packet: bytes) -> bytes:
    """As an APP1 segment, behind JFIF's APP0 where there is one (XMP part 3, 1.1.3)."""
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet
    at = 2
    if content[2:4] == b"\xff\xe0":
        at = 4 + struct.unpack(">H", content[4:6])[0]
    return content[:at] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[at:]


def _into_gif(content: bytes, packet: bytes) -> bytes:
    """As an application extension behind the global colours, with its magic trailer (XMP part 3, 1.1.2)."""
    flags = content[10]
    at = 13 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
    return content[:at] + b"\x21\xff\x0bXMP DataXMP" + packet + trailer + content[at:]


def _into_mp4(content: bytes, packet: bytes) -> bytes:
    """As a `uuid` box at the end, which moves nothing that others point to (XMP part 3, 1.2.6)."""
    body = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet
    return content + struct.pack(">I", len(body) + 8) + b"uuid" + body


_WRITERS: dict[str, Callable[[bytes, bytes], bytes]] = {
    ".png": _into_png,
    ".jpg": _into_jpeg,
    ".gif": _into_gif,
    ".mp4": _into_mp4,
}
