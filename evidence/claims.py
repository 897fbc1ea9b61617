"""What a file says about itself, gathered as plain words: claims, never proof.

Camera, software, dates and descriptions from EXIF; PNG text; the XMP packet; a container's tags.
Anyone can write anything there, so nothing here is trusted, parsed further, or allowed to be long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from evidence.colour import profile_name

MAX_CLAIM_CHARACTERS = 16_000
MAX_TOTAL_CHARACTERS = 64_000


def claims_of_image(image: Image.Image) -> dict[str, Any]:
    """The claims of an opened image: {"exif": {...}, "text": {...}, "xmp": ..., "profile": ...}."""
    found: dict[str, Any] = {}
    if exif := _exif(image):
        found["exif"] = exif
    text = dict(getattr(image, "text", {}) or {})
    if comment := image.info.get("comment"):
        text["comment"] = comment
    if text:
        found["text"] = text
    if xmp := image.info.get("xmp"):
        found["xmp"] = xmp
    if name := profile_name(image):
        found["profile"] = name
    return bounded(found)


def bounded(found: Mapping[str, Any]) -> dict[str, Any]:
    """The same claims as plain strings, each cut to 16,000 characters and all to 64,000.

    One level of nesting is kept; "truncated" says that something was cut.
    """
    left = MAX_TOTAL_CHARACTERS
    cut = False

    def plain(value: object) -> str:
        nonlocal left, cut
        text = _text(value)
        kept = text[: min(left, MAX_CLAIM_CHARACTERS)]
        cut |= len(kept) < len(text)
        left -= len(kept)
        return kept

    result: dict[str, Any] = {}
    for key, value in found.items():
        if left <= 0:
            cut = True
            break
        if isinstance(value, Mapping):
            result[key] = {plain(name): plain(inner) for name, inner in value.items() if left > 0}
        else:
            result[key] = plain(value)
    if cut:
        result["truncated"] = "true"
    return result


def _exif(image: Image.Image) -> dict[str, Any]:
    """The chosen EXIF fields by name. A block that cannot be parsed is itself a claim."""
    if "exif" not in image.info and image.format not in ("TIFF", "PNG", "MPO"):
        return {}
    try:
        exif = image.getexif()
        fields = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # hostile EXIF makes Pillow raise anything; the pixels stand without it
        return {"unreadable": "true"}
    return {name: fields[tag] for tag, name in _EXIF_FIELDS.items() if fields.get(tag) not in (None, "", b"")}


def _text(value: object) -> str:
    """Any claim as printable text; bytes are read as UTF-8, UTF-16 where EXIF says so."""
    if isinstance(value, bytes):
        raw = value[: 4 * MAX_CLAIM_CHARACTERS]
        if raw.startswith(b"UNICODE\x00"):
            encoding = "utf-16-be" if raw[8:9] == b"\x00" else "utf-16-le"
            value = raw[8:].decode(encoding, "replace")
        else:
            value = raw.removeprefix(b"ASCII\x00\x00\x00").decode("utf-8", "replace")
    text = str(value)[: 4 * MAX_CLAIM_CHARACTERS]
    return "".join(letter for letter in text if letter.isprintable() or letter in "\t\n").strip()


_EXIF_FIELDS = {
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x0132: "DateTime",
    0x9003: "DateTimeOriginal",
    0x010E: "ImageDescription",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x9286: "UserComment",
    0xA434: "LensModel",
}
