"""`touchstone watermark` as a person calls it: copies, words, JSON, exit codes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.media import pan, photo_like
from evidence.image import decode_image
from evidence.video import probe_video, write_video
from tests.command_line import Touchstone


@pytest.fixture
def png(tmp_path: Path) -> Path:
    return _write(tmp_path / "media" / "photo.png", photo_like(200, 280, 1))


def _write(path: Path, pixels: np.ndarray) -> Path:  # type: ignore[type-arg]
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), pixels[:, :, ::-1])
    return path


def test_a_marked_copy_is_known_again_and_the_original_is_left_alone(
    touchstone: Touchstone, png: Path
) -> None:
    before = png.read_bytes()

    ran = touchstone("watermark", "embed", png)

    copy = png.with_name("photo.marked.png")
    digits = decode_image(png)[0].sha256[:16]
    assert (ran.code, ran.out) == (0, f"{copy}  {digits}\n")
    assert png.read_bytes() == before
    told = touchstone("watermark", "detect", copy)
    assert told.code == 0
    assert f"says {digits}" in told.out
    assert touchstone("watermark", "detect", png).code == 4
    assert "no mark of key" in touchstone("watermark", "detect", png).out


def test_a_payload_of_ones_own_in_a_jpeg_and_the_whole_answer_as_json(
    touchstone: Touchstone, png: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy.jpg"
    assert touchstone("watermark", "embed", png, "--out", out, "--payload", "00000000000004d2").code == 0

    found = touchstone("watermark", "detect", out, "--json").json

    assert found["present"] is True
    assert found["payload"] == "00000000000004d2"
    assert found["p_value"] < 1e-6
    assert found["path"] == str(out)
    both = touchstone("watermark", "detect", out, png, tmp_path / "none.png", "--json")
    assert both.code == 1
    assert [row.get("present") for row in both.json] == [True, False, None]
    assert both.json[2]["error"]["code"] == "unreadable"


def test_a_film_is_marked_frame_by_frame_and_keeps_its_times(touchstone: Touchstone, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    times = [0.0, 0.1, 0.3, 0.35, 0.6, 0.7]
    write_video(film, list(pan(144, 176, 6, seed=1)), 10, times=times)

    assert touchstone("watermark", "embed", film).code == 0

    copy = tmp_path / "film.marked.mp4"
    info = probe_video(copy)
    assert (info.width, info.height, info.frames) == (176, 144, 6)
    assert info.fps_mode == "variable"
    assert touchstone("watermark", "detect", copy).code == 0
    assert [path.name for path in tmp_path.glob(".film*")] == []


def test_another_key_sees_nothing_and_detecting_makes_none(
    touchstone: Touchstone, png: Path, tmp_path: Path
) -> None:
    none = touchstone("watermark", "detect", png)
    assert none.code == 3
    assert "cannot be read: No such file" in none.err
    mine, theirs = tmp_path / "mine.key", tmp_path / "theirs.key"
    assert touchstone("watermark", "embed", png, "--key-file", mine).code == 0
    assert touchstone("watermark", "embed", png, "--key-file", theirs, "--out", tmp_path / "x.png").code == 0

    copy = png.with_name("photo.marked.png")

    assert touchstone("watermark", "detect", copy, "--key-file", mine).code == 0
    assert touchstone("watermark", "detect", copy, "--key-file", theirs).code == 4
    wrong = touchstone("watermark", "detect", copy, "--key-file", png)
    assert wrong.code == 3
    assert "holds no watermark key" in wrong.err


def test_what_cannot_be_marked_is_said_and_the_rest_is_done(
    touchstone: Touchstone, png: Path, tmp_path: Path
) -> None:
    tiny = _write(tmp_path / "media" / "tiny.png", photo_like(40, 90, 1))
    broken = tmp_path / "media" / "broken.png"
    broken.write_bytes(png.read_bytes()[:300])

    ran = touchstone("watermark", "embed", png.parent)

    assert ran.code == 1
    assert "too_small: " in ran.err
    assert "The picture has 90 x 40 pixels; a watermark needs 96 on each side" in ran.err
    assert "damaged: " in ran.err
    assert ran.out.startswith(str(png.with_name("photo.marked.png")))
    assert touchstone("watermark", "embed", tiny).code == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--payload", "12"], "is no payload"),
        (["--payload", "zz" * 8], "is no payload"),
        (["--out", "copy.gif"], "cannot be written as copy.gif"),
        (["--out", "copy.mp4"], "cannot be written as copy.mp4"),
        (["--out", "media/photo.png"], "would take the place of the original"),
        (["media", "--out", "copy.png"], "--out names one file, and there are 2"),
        (["empty"], "There is no file in"),
    ],
)
def test_what_does_not_fit_together_is_wrong_usage(
    touchstone: Touchstone, png: Path, arguments: list[str], words: str
) -> None:
    _write(png.with_name("second.png"), photo_like(70, 70, 1))

    (png.parent.parent / "empty").mkdir()
    files = [] if arguments[0] == "empty" else [png]

    ran = touchstone("watermark", "embed", *files, *arguments)

    assert ran.code == 2
    assert words in ran.err


def test_a_picture_in_which_no_mark_would_hold_is_not_called_marked(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)

    ran = touchstone("watermark", "embed", _write(tmp_path / "noise.png", noise))

    assert ran.code == 3
    assert "The mark cannot be told again in a marked copy" in ran.err
    assert [path.name for path in tmp_path.glob("*.png")] == ["noise.png"]
