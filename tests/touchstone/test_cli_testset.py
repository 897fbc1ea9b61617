"""`touchstone testset`: a newcomer builds a set of own pictures, checks it, and makes one item anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.media import photo_like
from evidence.jpeg import encode_jpeg
from tests.command_line import Touchstone, rows_of


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(photo_like(96, 96, number), 85))
    return folder


def test_a_set_is_built_from_own_pictures_checked_and_made_anew(
    touchstone: Touchstone, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    asked = ("testset", "build", "quick-look", "--source", photos, "--out", out, "--workers", "1")
    ran = touchstone(*asked)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"4 reals and 8 forgeries in {out}; no short cut was found")
    there = {path.name for path in out.iterdir()}
    assert there >= {"README.md", "lint.json", "manifest.jsonl", "recipe.toml", "sheets", "testset.json"}
    assert "4 real pictures and 8 forgeries" in (out / "README.md").read_text()
    assert touchstone(*asked).out == f"{out} is this set already.\n"
    fake = next(row for row in rows_of(out) if row["label"] == "fake")
    again = touchstone("testset", "verify", out, "--item", fake["id"])
    assert (again.code, again.out) == (0, "12 items, 1 of them made anew: all as the manifest says\n")
    (out / fake["path"]).write_bytes(b"")
    broken = touchstone("testset", "verify", out, "--json")
    assert broken.code == 1
    assert broken.json["faults"][0]["path"] == fake["path"]


def test_recipes_are_listed_and_shown_and_a_wrong_one_is_refused_with_its_line(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    listed = touchstone("testset", "list").out
    assert "quick-look" in listed
    assert "[[systems]]" in touchstone("testset", "show", "quick-look").out
    mine = tmp_path / "mine.toml"
    mine.write_text('[[sources]]\nfolder = "."\n[[systems]]\nname = "stylegan9"\n')
    ran = touchstone("testset", "build", mine, "--out", tmp_path / "set")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "mine.toml, line 4: There is no generator 'stylegan9'." in ran.err
    without = touchstone("testset", "build", "quick-look", "--out", tmp_path / "set")
    assert without.code == 3
    assert "--source" in without.err


def test_a_recipe_with_attacks_is_built_its_card_sums_them_up_and_an_item_is_made_anew(
    touchstone: Touchstone, photos: Path, tmp_path: Path
) -> None:
    mine, out = tmp_path / "mine.toml", tmp_path / "set"
    mine.write_text(
        f'[[sources]]\nfolder = "{photos}"\n[[systems]]\nname = "splice"\n'
        '[[attacks]]\nname = "square"\nqueries = 9\n[[attacks]]\nname = "renoise"\non = "both"\n'
    )
    ran = touchstone("testset", "build", mine, "--out", out, "--workers", "1")
    assert (ran.code, ran.err) == (0, "")
    struck = [row for row in rows_of(out) if row["attack"]]
    assert [row["attack"]["name"] for row in struck].count("renoise") == 4
    square = next(row for row in struck if row["attack"]["name"] == "square")
    assert f"| {square['target']} | `{square['target_sha256']}` |" in (out / "README.md").read_text()
    assert "| renoise on nothing | 4 | not asked |" in (out / "README.md").read_text()
    again = touchstone("testset", "verify", out, "--item", square["id"])
    assert (again.code, again.out) == (0, "8 items, 1 of them made anew: all as the manifest says\n")


def test_the_queue_builds_what_one_process_builds_and_knows_it_again(
    touchstone: Touchstone, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_WORKERS", "1")
    asked = ("testset", "build", "quick-look", "--source", photos, "--seed", "3", "--layout", "csv")
    here, there = tmp_path / "here", tmp_path / "there"
    alone = touchstone(*asked, "--out", here, "--workers", "1")
    queued = touchstone(*asked, "--out", there, "--queue")
    assert (alone.code, queued.code, queued.err) == (0, 0, "")
    assert queued.out == alone.out.replace(str(here), str(there))
    assert _bytes(here) == _bytes(there)
    for row in rows_of(there):
        assert (there / row["path"]).stat().st_mtime == (here / row["path"]).stat().st_mtime
    again = touchstone(*asked, "--out", tmp_path / "again", "--queue")  # built before: only fetched
    assert (again.code, _bytes(tmp_path / "again")) == (0, _bytes(here))
    broken = tmp_path / "broken.toml"
    broken.write_text('[[sources]]\nfolder = "photos"\nfit = 64\ncrop = 64\n[[systems]]\nname = "splice"\n')
    ran = touchstone("testset", "build", broken, "--out", tmp_path / "x", "--queue")
    assert (ran.code, "broken.toml, line 3" in ran.err) == (2, True)


def _bytes(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_marked_forgeries_carry_what_their_rows_say_and_unmarked_ones_say_so(
    touchstone: Touchstone, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(2):
        (photos / f"{number}.jpg").write_bytes(encode_jpeg(photo_like(256, 256, number), 85))
    for marks, said in (("all", ["xmp", "c2pa", "watermark"]), ("pixels", ["watermark"]), ("none", [])):
        mine, out = tmp_path / f"{marks}.toml", tmp_path / marks
        mine.write_text(
            f'[[sources]]\nfolder = "{photos}"\n[[systems]]\nname = "reconstruction-haar-x4"\n'
            f'[output]\nmarks = "{marks}"\n'
        )
        assert touchstone("testset", "build", mine, "--out", out, "--workers", "1").code == 0
        rows = rows_of(out)
        assert {row["label"]: row["marks"] for row in rows} == {"real": [], "fake": said}
        assert f'"marks": "{marks}"' in (out / "testset.json").read_text()
        for row in rows:
            assert (b"c2pa" in (out / row["path"]).read_bytes()) == ("c2pa" in row["marks"])
        again = touchstone("testset", "verify", out, "--rebuild", "4")
        assert again.out == "4 items, 4 of them made anew: all as the manifest says\n"
