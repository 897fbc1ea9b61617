"""The media type of anything that may carry Content Credentials, from its leading bytes."""

from __future__ import annotations

from typing import BinaryIO

from evidence.errors import UnsupportedMedia
from evidence.sniff import HEAD_BYTES, sniff

# What holds a manifest in itself, and can be signed so; DNG is TIFF to everybody.
EMBEDDING = (
    *("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic", "image/tiff", "image/gif"),
    *("image/svg+xml", "image/jxl", "video/mp4", "video/quicktime", "video/x-msvideo"),
    *("audio/wav", "audio/mpeg", "audio/mp4", "audio/flac"),
)
# A PDF can be read but not written.
READABLE = (*EMBEDDING, "application/pdf")
UNKNOWN = "application/octet-stream"


def media_type(file: BinaryIO) -> str:
    """Name the type of an open file, which is left at its start; "application/octet-stream" if unknown.

    Raises `EmptyMedia` for no bytes at all.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(b"ID3"):
        # A tag before the sound: credentials of FLAC lie in one. Its size has seven bits in each byte.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        file.seek(10 + size)
        if file.read(4) == b"fLaC":
            head = b"fLaC"
    file.seek(0)
    try:
        return sniff(head)
    except UnsupportedMedia:
        return _beside_pictures(head)


def _beside_pictures(head: bytes) -> str:
    """What the scan does not decode: drawings, sound, documents, manifests alone."""
    for offset, mark, mime in _MARKS:
        if head[offset : offset + len(mark)] == mark:
            return mime
    if b"<svg" in head.lower():
        return "image/svg+xml"
    # A frame of MPEG audio, layer 3: eleven set bits, then a layer of 01.
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE6 == 0xE2:
        return "audio/mpeg"
    return UNKNOWN


_MARKS = (
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftypM4B ", "audio/mp4"),
    (4, b"JXL ", "image/jxl"),
    (0, b"%PDF", "application/pdf"),
    (4, b"jumb", "application/c2pa"),
)
