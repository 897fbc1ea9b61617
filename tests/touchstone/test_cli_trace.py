"""`touchstone trace` and `touchstone registry`: where files were seen before, by the commands people run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence.video import write_video
from provenance.pdq import pdq
from tests.command_line import Touchstone
from tests.conftest import MakePhoto


@pytest.fixture
def photo(tmp_path: Path, make_photo: MakePhoto) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), make_photo(240, 320, 1)[:, :, ::-1])
    return path


def changed(photo: Path, name: str) -> Path:
    pixels = cv2.imread(str(photo))
    path = photo.with_name(name)
    cv2.imwrite(str(path), {"crop.png": pixels[8:224, 20:308], "flip.jpg": pixels[:, ::-1]}[name])
    return path


def test_a_scanned_file_and_what_was_made_of_it_are_traced(touchstone: Touchstone, photo: Path) -> None:
    assert touchstone("scan", photo).code == 0
    told = touchstone("trace", photo, changed(photo, "crop.png"), changed(photo, "flip.jpg"))
    assert told.code == 0
    assert f"This very file was scanned as {photo}" in told.out
    assert "A picture that shares a part with this one was scanned" in told.out
    assert "This picture, mirrored, was scanned" in told.out
    assert "fewer than one in 1 000 000 comparisons" in told.out


def test_a_second_scan_says_what_was_seen_and_decides_as_the_first(
    touchstone: Touchstone, photo: Path
) -> None:
    first = touchstone("scan", "--json", photo).json
    second = touchstone("scan", "--json", changed(photo, "flip.jpg")).json
    assert first["provenance"]["near_duplicates"] == []
    (known,) = second["provenance"]["near_duplicates"]
    assert (known["name"], known["turned"], known["how"]) == (str(photo), "mirrored", "picture")
    found = [one for one in second["evidence"] if one["kind"] == "registry"]
    assert [one["weight"] for one in found] == [0.0]
    assert second["decided_by"] == first["decided_by"]


def test_what_was_never_seen_is_said_and_asking_enters_nothing(touchstone: Touchstone, photo: Path) -> None:
    for _ in range(2):
        told = touchstone("trace", photo)
        assert told.code == 4
        assert "Never seen before" in told.out
    document = touchstone("trace", "--json", photo).json
    assert document["sightings"] == []
    assert document["sha256"] == hashlib.sha256(photo.read_bytes()).hexdigest()


def test_the_registry_can_be_switched_off(
    touchstone: Touchstone, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_REGISTRY", "false")
    assert touchstone("scan", photo).code == 0
    assert not (photo.parent / "data" / "jobs.db").exists()


def test_a_registry_that_cannot_be_used_costs_no_scan(
    touchstone: Touchstone, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    ran = touchstone("scan", "--json", photo)
    assert (ran.code, ran.json["status"]) == (0, "ok")
    assert ran.err.count("the registry cannot be used") == 1


def test_flagged_media_are_told_of_until_they_are_removed(touchstone: Touchstone, photo: Path) -> None:
    assert touchstone("registry", "flag", photo, "--note", "staged").code == 0
    assert "was flagged as photo.png" in touchstone("trace", photo).out
    assert ": staged." in touchstone("trace", changed(photo, "flip.jpg")).out
    assert "1 entry is gone" in touchstone("registry", "remove", photo).out
    assert touchstone("trace", photo).code == 4
    assert touchstone("registry", "remove", photo).code == 3


def test_bad_rows_of_a_list_are_each_named_and_the_others_imported(
    touchstone: Touchstone, photo: Path, tmp_path: Path
) -> None:
    pixels = np.ascontiguousarray(cv2.imread(str(photo))[:, :, ::-1])
    known = tmp_path / "known.csv"
    known.write_text(f"pdq,note\n{pdq(pixels)[0].hex()},in May\nxyz,\n{'0' * 63}g,\n", encoding="utf-8")
    ran = touchstone("registry", "import", known)
    assert (ran.code, ran.out) == (1, "known: 1 imported, 2 bad rows left out\n")
    assert "line 3: 'xyz' is no PDQ hash" in ran.err
    assert "line 4:" in ran.err
    assert "on an imported list on" in touchstone("trace", photo).out
    assert touchstone("registry", "list").out.split() == ["imported", "1", "known"]
    assert touchstone("registry", "remove", "--list", "known").code == 0
    assert touchstone("trace", photo).code == 4


def test_a_part_of_a_video_is_traced_to_it(
    touchstone: Touchstone, tmp_path: Path, make_photo: MakePhoto
) -> None:
    scenes = [make_photo(96, 128, seed) for seed in range(6)]
    frames = [scene for scene in scenes for _ in range(10)]
    write_video(tmp_path / "film.mp4", frames, 10.0)
    write_video(tmp_path / "cut.mp4", frames[20:50], 10.0)
    assert touchstone("scan", tmp_path / "film.mp4").code == 0
    (one,) = touchstone("trace", "--json", tmp_path / "cut.mp4").json["sightings"]
    assert (one["how"], one["frames"], one["of"]) == ("frames", 3, 3)
    assert one["offset_seconds"] == pytest.approx(2.0, abs=0.6)  # frames are looked at each half second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trace", "missing.png"), "unreadable"),
        (("registry", "remove"), "Nothing to forget was named"),
        (("registry", "remove", "xyz"), "neither a file nor a sha256"),
        (("registry", "import", "missing.csv"), "cannot be read"),
        (("registry", "flag", "missing.png"), "unreadable"),
    ],
)
def test_what_cannot_be_done_is_said(touchstone: Touchstone, arguments: tuple[str, ...], said: str) -> None:
    ran = touchstone(*arguments)
    assert ran.code in (2, 3)
    assert said in ran.err
