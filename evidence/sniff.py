"""Media type from the leading bytes, never from the name.

Everything else in this room trusts the word returned here: the one parser it names is the only one
that sees the file. What we do not decode is refused by its own name, so that a person who scans a
PDF reads "a PDF document" and not "unknown format".
"""

from __future__ import annotations

from evidence.errors import EmptyMedia, UnsupportedMedia

HEAD_BYTES = 4096
IMAGE_MIMES = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/avif",
    "image/heic",
    "image/tiff",
    "image/gif",
    "image/bmp",
)
VIDEO_MIMES = ("video/mp4", "video/quicktime", "video/x-matroska", "video/webm", "video/x-msvideo")
ADVICE = "Hand in JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF, BMP, MP4, MOV, MKV, WebM or AVI."


def sniff(head: bytes) -> str:
    """Name the media type of a file from its first `HEAD_BYTES` bytes.

    Returns one of `IMAGE_MIMES` or `VIDEO_MIMES`. Raises `EmptyMedia` for no bytes at all and
    `UnsupportedMedia`, saying what the bytes are, for anything else.
    """
    if not head:
        raise EmptyMedia("The file is empty: it holds 0 bytes.", "Copy or download it again.")
    mime = _simple(head) or _riff(head) or _boxes(head) or _matroska(head)
    if mime is None:
        raise UnsupportedMedia(f"This is {_describe(head)}, not an image or a video that we decode.", ADVICE)
    return mime


def _simple(head: bytes) -> str | None:
    """Formats that a fixed prefix tells."""
    for prefix, mime in _PREFIXES:
        if head.startswith(prefix):
            return mime
    # "BM" alone is any text that begins so: the header size that follows is one of six numbers.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124):
        return "image/bmp"
    return None


def _riff(head: bytes) -> str | None:
    """WebP and AVI share the RIFF envelope."""
    if head[:4] != b"RIFF":
        return None
    return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12])


def _boxes(head: bytes) -> str | None:
    """The ISO base media family: AVIF, HEIC, MP4, QuickTime; told apart by the `ftyp` brands."""
    if head[4:8] != b"ftyp":
        # QuickTime before 2001 opens with another box.
        return "video/quicktime" if head[4:8] in (b"moov", b"mdat", b"wide", b"pnot") else None
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[at : at + 4] for at in range(16, size - 3, 4))}
    if major in _FOREIGN_BRANDS:
        return None
    if brands & _HEVC_BRANDS:
        return "image/heic"
    if brands & {b"avif", b"avis"}:
        return "image/avif"
    if major in (b"mif1", b"msf1"):
        return "image/heic"
    return "video/quicktime" if major == b"qt  " else "video/mp4"


def _matroska(head: bytes) -> str | None:
    """Matroska and WebM: EBML files whose DocType says which."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return "video/webm" if b"webm" in head[:128] else "video/x-matroska"


def _describe(head: bytes) -> str:
    """What a refused file is, as a noun with its article."""
    for offset, mark, name in _STRANGERS:
        if head[offset : offset + len(mark)] == mark:
            return name
    if head[4:8] == b"ftyp":
        return _FOREIGN_BRANDS.get(head[8:12], "an unknown file of the MP4 family")
    opening = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in opening:
        return "an SVG drawing"
    if opening.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    if opening.startswith(b"<?xml"):
        return "an XML document"
    return "a text file" if _is_text(head) else "data of an unknown format"


def _is_text(head: bytes) -> bool:
    """True when the bytes read as UTF-8 without control characters; the last character may be cut."""
    try:
        text = head[:-3].decode("utf-8") if len(head) == HEAD_BYTES else head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 4:
            return False
        text = head[: problem.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in text)


_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
)
_HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_FOREIGN_BRANDS = {
    b"M4A ": "an audio file (M4A)",
    b"M4B ": "an audio book (M4B)",
    b"crx ": "a raw camera file (CR3)",
    b"jp2 ": "a JPEG 2000 image",
    b"jxl ": "a JPEG XL image",
}
_STRANGERS = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (4, b"JXL ", "a JPEG XL image"),
    (4, b"jP  ", "a JPEG 2000 image"),
    (0, b"SIMPLE  =", "a FITS image"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"OggS", "an Ogg file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (0, b"\x00\x00\x01\xba", "an MPEG program stream"),
    (0, b"ID3", "an MP3 audio file"),
    (0, b"fLaC", "a FLAC audio file"),
    (8, b"WAVE", "a WAV audio file"),
    (0, b"#EXTM3U", "a playlist"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"\x93NUMPY", "a NumPy array"),
)
