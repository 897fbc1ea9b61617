"""Metadata is gathered as plain, bounded words."""

from __future__ import annotations

import io
import json

from PIL import Image, PngImagePlugin

from evidence.claims import MAX_TOTAL_CHARACTERS, bounded
from evidence.image import decode_image
from evidence.medium import Pixels


def _claims(photo: Pixels, kind: str, **options: object) -> dict[str, object]:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, kind, **options)
    return decode_image(file.getvalue())[0].metadata


def test_camera_and_date_are_claims(photo: Pixels) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = "Acme", "Box 1", "darkroom 2"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 12:00:00"

    claims = _claims(photo, "JPEG", exif=exif)

    assert claims["exif"] == {
        "Make": "Acme",
        "Model": "Box 1",
        "Software": "darkroom 2",
        "DateTimeOriginal": "2026:11:23 12:00:00",
    }


def test_the_prompt_that_a_generator_left_in_a_png_is_a_claim(photo: Pixels) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", "a portrait, steps: 20")

    assert _claims(photo, "PNG", pnginfo=text)["text"] == {"parameters": "a portrait, steps: 20"}


def test_an_xmp_packet_is_kept_as_text(photo: Pixels) -> None:
    assert _claims(photo, "JPEG", xmp=b"<x:xmpmeta/>")["xmp"] == "<x:xmpmeta/>"


def test_broken_exif_costs_the_claims_and_not_the_picture(photo: Pixels) -> None:
    broken = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff" + bytes(40)

    claims = _claims(photo, "JPEG", exif=broken)

    assert set(claims) <= {"exif"}


def test_claims_without_end_are_cut_and_say_so() -> None:
    found = bounded({"text": {f"key {at}": "x" * 50_000 for at in range(100)}, "xmp": b"\xff\x00" * 99})

    assert len(json.dumps(found)) < MAX_TOTAL_CHARACTERS + 2000
    assert found["truncated"] == "true"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert bounded({"Make": "Ac\x1b[31mme\x00"})["Make"] == "Ac[31mme"
