"""Bad input: each file gets a clear line with a code, its neighbours their verdict, nobody a traceback."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evidence.video import write_video
from tests.command_line import Touchstone, write_picture


def png_of(width: int, height: int) -> bytes:
    """A PNG header that promises so many pixels, with almost no data behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, media_module: Path) -> dict[str, Path]:
    """Bad files by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    whole = write_picture(folder / "whole.jpg", -6).read_bytes()
    (folder / "whole.jpg").unlink()
    video = media_module.read_bytes()
    rng = np.random.default_rng(0)
    made = {
        "zero bytes.jpg": b"",
        "random.png": rng.bytes(5000),
        "text.jpg": b"This is no picture.\n",
        "document.jpg": b"%PDF-1.7\n" + bytes(100),
        "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "archive.jpg": b"PK\x03\x04" + bytes(100),
        "huge.png": png_of(30_000, 30_000),
        "quarter.jpg": whole[: len(whole) // 4],
        "half.jpg": whole[: len(whole) // 2],
        "three quarters.jpg": whole[: 3 * len(whole) // 4],
        "headless.mp4": video[: len(video) // 2],
        "index.mp4": video.replace(b"moov", b"void"),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    cv2.imwrite(str(folder / "pixel.png"), np.zeros((1, 1, 3), np.uint8))
    (folder / "broken link.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return {path.name: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def media_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, [np.full((64, 64, 3), 4 * i, np.uint8) for i in range(30)], 10.0)
    return path


CODES = {
    "zero bytes.jpg": {"empty"},
    "random.png": {"unsupported"},
    "text.jpg": {"unsupported"},
    "document.jpg": {"unsupported"},
    "drawing.png": {"unsupported"},
    "archive.jpg": {"unsupported"},
    "huge.png": {"too_large"},
    "quarter.jpg": {"damaged"},
    "half.jpg": {"damaged"},
    "three quarters.jpg": {"damaged"},
    "headless.mp4": {"damaged"},
    "index.mp4": {"damaged"},
    "pixel.png": {"too_small"},
    "broken link.jpg": {"unreadable"},
    "pipe.jpg": {"unreadable"},
}


def test_each_bad_file_has_its_code_and_advice_and_the_good_ones_their_verdict(
    touchstone: Touchstone, corpus: dict[str, Path], media: Path
) -> None:
    good_first, good_last = media / "a-fake.png", media / "b-real.jpg"

    ran = touchstone("scan", good_first, *corpus.values(), good_last, "--json")

    assert ran.code == 1
    first, *bad, last = ran.json
    assert (first["verdict"], last["verdict"]) == ("fake", "real")
    found = {Path(r["media"]["path"]).name: (r["status"], r["verdict"], r["reason"]["code"]) for r in bad}
    assert {name: status for name, (status, _, _) in found.items()} == dict.fromkeys(CODES, "unable")
    assert {name: code in CODES[name] for name, (_, _, code) in found.items()} == dict.fromkeys(CODES, True)
    for report in bad:
        assert report["verdict"] is None
        assert report["reason"]["message"].count(".") >= 2, "what was found, and what to do"


def test_a_link_to_itself_is_unable_named_or_found_and_its_neighbour_has_a_verdict(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").symlink_to("a.jpg")
    write_picture(folder / "b.png", -6)

    for arguments in ([folder], [folder / "a.jpg", folder / "b.png"]):
        ran = touchstone("scan", *arguments, "--json")

        assert ran.code == 1
        assert [(r["status"], r["verdict"]) for r in ran.json] == [("unable", None), ("ok", "real")]
        assert ran.json[0]["reason"]["code"] == "unreadable"


def test_a_wrong_extension_does_not_matter(touchstone: Touchstone, media: Path, tmp_path: Path) -> None:
    (tmp_path / "picture.mp4").write_bytes((media / "a-fake.png").read_bytes())

    assert touchstone("scan", tmp_path / "picture.mp4", "--json").json["verdict"] == "fake"


def test_an_animation_of_5000_frames_is_sampled_not_swallowed(touchstone: Touchstone, tmp_path: Path) -> None:
    # Neighbours differ, for Pillow makes one frame of equal ones.
    frames = [Image.new("RGB", (40, 40), (8 * (index % 31), 0, 0)) for index in range(5000)]
    frames[0].save(tmp_path / "long.gif", save_all=True, append_images=frames[1:], duration=20)

    report = touchstone("scan", tmp_path / "long.gif", "--json").json

    assert report["status"] == "ok"
    assert (report["media"]["kind"], report["media"]["frames"]) == ("animation", 5000)
    # 5000 frames of 20 ms are 100 s, of which one frame each half second is looked at.
    assert report["coverage"] == {"decoded": 200, "expected": 200, "errors": 0}
    assert [point["frame"] for point in report["timeline"]] == list(range(0, 5000, 25))


def test_a_video_of_one_frame_has_a_verdict(touchstone: Touchstone, tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", [np.full((64, 64, 3), (200, 0, 0), np.uint8)], 10.0)

    report = touchstone("scan", tmp_path / "one.mp4", "--json").json

    assert report["status"] == "ok"
    assert len(report["timeline"]) == 1
    assert report["segments"] == []


def test_flipped_bytes_in_a_video_are_counted_not_hidden(
    touchstone: Touchstone, media: Path, tmp_path: Path
) -> None:
    data = bytearray((media / "c-clip.mp4").read_bytes())
    start = data.index(b"mdat") + 4000
    for place in range(start, len(data) - 3000, 400):
        data[place] ^= 0xFF
    (tmp_path / "flipped.mp4").write_bytes(data)

    report = touchstone("scan", tmp_path / "flipped.mp4", "--json").json

    assert report["status"] == "ok"
    assert report["coverage"]["errors"] > 0
    assert any("could not be decoded" in warning for warning in report["warnings"])


def test_a_file_that_vanishes_while_others_are_scanned_is_unable(
    touchstone: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_picture(tmp_path / f"{number}.png", -6) for number in range(3)]
    from touchstone.cli import inputs

    expand = inputs.expand

    def expand_then_lose(arguments: list[str]) -> list[inputs.Input]:
        found = expand(arguments)
        paths[1].unlink()
        return found

    monkeypatch.setattr("touchstone.cli.scan.expand", expand_then_lose)

    ran = touchstone("scan", tmp_path, "--json")

    assert ran.code == 1
    assert [report["status"] for report in ran.json] == ["ok", "unable", "ok"]
    assert ran.json[1]["reason"]["code"] == "unreadable"
