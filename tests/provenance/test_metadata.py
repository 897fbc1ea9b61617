"""Claims are found wherever a generator writes one, and nowhere else; no file makes that costly."""

from __future__ import annotations

import io
import struct
import tarfile
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.signable import TYPES, make
from evidence.medium import Pixels
from provenance.metadata.blocks import MOST_BYTES, blocks
from provenance.metadata.claims import MOST_CHARACTERS, MOST_CLAIMS, Claim, read_claims
from provenance.metadata.place import MOST_BLOCK_BYTES
from tests.claimed_media import A1111, Case, cases, png_chunk, png_with, xmp

CASES = list(cases())


def _claims(data: bytes, mime: str) -> tuple[Claim, ...]:
    return read_claims(io.BytesIO(data), mime)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_claim_is_found_where_its_program_writes_it(case: Case) -> None:
    found = _claims(case.data, case.mime)

    assert (case.field, case.generator, case.says) in [(c.field, c.generator, c.says) for c in found]
    assert {claim.confidence for claim in found} == {"claimed"}


def test_the_fixtures_cover_every_format_that_has_a_place_for_words() -> None:
    assert {case.mime for case in CASES} >= {
        *(f"image/{name}" for name in ("jpeg", "png", "webp", "avif", "heic", "tiff", "gif", "svg+xml")),
        *("video/mp4", "video/quicktime", "video/x-matroska", "video/webm", "video/x-msvideo"),
    }


@pytest.mark.parametrize("mime", TYPES)
def test_a_plain_file_makes_no_claim(mime: str) -> None:
    assert _claims(make(mime), mime) == ()


@pytest.mark.data
def test_photographs_claim_no_generator(shared_data: Path) -> None:
    with tarfile.open(shared_data / "photos" / "photos-0002.tar") as shard:
        for member in shard.getmembers():
            if member.name.endswith((".jpg", ".jpeg")):
                data = shard.extractfile(member).read()  # type: ignore[union-attr]
                found = [claim for claim in _claims(data, "image/jpeg") if claim.says != "edited"]
                assert [claim for claim in found if claim.says != "captured"] == [], member.name


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("Description", "a visit to Midjourney, with Stable Diffusion of colours and a DALL-E poster"),
        ("Title", "ComfyUI for beginners"),
        ("parameters", "exposure 1/60, aperture 8"),
        ("prompt", "say cheese"),
        ("workflow", "approved by the desk"),
        ("Software", "Sorae Camera"),
        ("Software", "Firewire Grokster"),
        ("Dream", "I had one"),
        ("Source", "Reuters"),
    ],
)
def test_words_in_another_place_or_of_another_make_are_no_claim(key: str, text: str) -> None:
    assert _claims(png_with(key, text), "image/png") == ()


def test_a_value_is_cut_and_printable_and_a_file_has_no_more_than_so_many() -> None:
    long = png_with("parameters", A1111 + "\u202e" + "x" * 10_000, international=True)
    (claim,) = _claims(long, "image/png")
    assert len(claim.value) <= MOST_CHARACTERS
    assert claim.value.isprintable()

    plain = make("image/png")
    many = b"".join(png_chunk(b"tEXt", b"parameters\0" + A1111.encode() + b"%d" % n) for n in range(500))
    assert len(_claims(plain[:33] + many + plain[33:], "image/png")) <= MOST_CLAIMS


def test_a_bomb_is_unpacked_to_its_limit_and_no_further() -> None:
    plain = make("image/png")
    packed = zlib.compress(b"\0" * (200 << 20))
    bombs = png_chunk(b"zTXt", b"parameters\0\0" + packed) * 40
    data = plain[:33] + bombs + plain[33:]

    started = time.process_time()
    found = list(blocks(io.BytesIO(data), "image/png"))

    assert sum(len(block.data) for block in found) <= MOST_BYTES
    assert max(len(block.data) for block in found) <= MOST_BLOCK_BYTES
    assert time.process_time() - started < 10


def test_sizes_that_lie_end_the_walk_with_what_was_read() -> None:
    good = png_with("parameters", A1111)
    at = good.index(b"tEXt") - 4
    lying = good[: at + 12 + struct.unpack(">I", good[at : at + 4])[0]] + b"\xff\xff\xff\xff" + b"tEXtmore"
    assert [claim.generator for claim in _claims(lying, "image/png")] == ["Stable Diffusion web UI"]
    for mime, data in {
        "video/mp4": b"\0\0\0\x18ftypisom\0\0\0\0isomisom" + b"\0\0\0\0moov" * 3,
        "image/jpeg": b"\xff\xd8\xff\xe1\0\0" + b"\xff\xe1\0\1" * 50,
        "image/webp": b"RIFF\xff\xff\xff\xffWEBP" + b"EXIF\xff\xff\xff\xff",
        "image/tiff": b"II*\0\x08\0\0\0" + b"\xff\xff" + b"\xff" * 40,
        "video/webm": b"\x1a\x45\xdf\xa3\xff" + b"\x18\x53\x80\x67\xff" * 50,
        "image/gif": b"GIF89a" + b"\xff" * 40,
    }.items():
        assert _claims(data, mime) == ()


def test_directories_and_boxes_that_hold_themselves_end() -> None:
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8)
    assert _claims(loop + b"\0" * 40, "image/tiff") == ()
    deep = b""
    for _ in range(3000):
        deep = struct.pack(">I4s", 8 + len(deep), b"moov") + deep
    assert _claims(deep, "video/mp4") == ()


def test_entities_of_xmp_are_not_expanded_and_a_broken_packet_gives_what_it_has() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    packet = bomb + xmp('xmp:CreatorTool="&b;&b; Midjourney"', "")[:-50]
    svg = b"<svg><metadata>" + packet + b"</x:xmpmeta></metadata></svg>"

    (claim,) = _claims(svg, "image/svg+xml")

    assert (claim.generator, claim.value) == ("Midjourney", "&b;&b; Midjourney")


@pytest.mark.parametrize(
    "text", ["<a:credit>" * 100_000, 'a:aigc="' * 100_000, "a:credit" + " " * 900_000, "<a:aigc " * 100_000]
)
def test_xmp_of_openings_alone_is_read_in_no_time(text: str) -> None:
    started = time.process_time()

    assert _claims(f"<svg><x:xmpmeta>{text}</x:xmpmeta></svg>".encode(), "image/svg+xml") == ()
    assert time.process_time() - started < 10


@pytest.mark.parametrize("mime", sorted({case.mime for case in CASES}))
def test_random_damage_never_raises(mime: str) -> None:
    rng = np.random.default_rng(7)
    for case in [case for case in CASES if case.mime == mime][:6]:
        for _ in range(40):
            data = bytearray(case.data)
            for place in rng.integers(0, len(data), rng.integers(1, 30)):
                data[place] = rng.integers(256)
            _claims(bytes(data[: rng.integers(1, len(data) + 1)]), mime)


def test_a_claim_of_a_camera_is_told_as_one(photo: Pixels) -> None:
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
    packet = xmp(f'Iptc4xmpExt:DigitalSourceType="{source}"', "")
    plain = make("image/jpeg")
    body = b"http://ns.adobe.com/xap/1.0/\0" + packet
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]

    (claim,) = _claims(data, "image/jpeg")

    assert replace(claim, value="") == Claim("XMP DigitalSourceType", "", "", "captured")
