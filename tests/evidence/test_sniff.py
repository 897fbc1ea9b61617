"""The media type comes from the bytes; what is refused is called by its name."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from evidence.errors import EmptyMedia, UnsupportedMedia
from evidence.image import pillow_heif
from evidence.sniff import sniff

pillow_heif.register_heif_opener()


@pytest.mark.parametrize(
    ("written", "mime"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("AVIF", "image/avif"),
        ("HEIF", "image/heic"),
        ("TIFF", "image/tiff"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
    ],
)
def test_each_image_format_is_told_by_its_first_bytes(written: str, mime: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 10, 10)).save(file, written)

    assert sniff(file.getvalue()[:4096]) == mime


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ", "video/quicktime"),
        (b"\x00\x00\x00\x08wide\x00\x00", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", "video/x-matroska"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
    ],
)
def test_each_video_container_is_told_by_its_first_bytes(head: bytes, mime: str) -> None:
    assert sniff(head) == mime


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    return file.getvalue()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"%PDF-1.7\n", "a PDF document"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg/>', "an SVG drawing"),
        (_zip(), "a ZIP archive"),
        (b"\x1f\x8b\x08\x00", "a gzip archive"),
        (b"\x00" * 257 + b"ustar", "a tar archive"),
        ("Käse und Brot\n".encode(), "a text file"),
        (("ä" * 4096).encode()[:4096], "a text file"),
        (b"BMW is a car maker", "a text file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\x00\x00\x00\x1cftypM4A \x00\x00\x00\x00M4A ", "an audio file (M4A)"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a WAV audio file"),
        (np.random.default_rng(0).bytes(4096), "data of an unknown format"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_own_name(head: bytes, name: str) -> None:
    with pytest.raises(UnsupportedMedia, match="not an image or a video") as refusal:
        sniff(head)

    assert refusal.value.message.startswith(f"This is {name},")
    assert "JPEG" in refusal.value.advice


def test_no_bytes_at_all_are_empty_not_unsupported() -> None:
    with pytest.raises(EmptyMedia):
        sniff(b"")
