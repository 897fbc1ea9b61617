"""`touchstone testset score` through the real runtime: two detectors, one test set, one page."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import onnx
import pytest

from detector.readers import read
from tests import tiny_detector
from tests.command_line import Touchstone


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    """Eight reals with a fake each, half of them delivered otherwise, and two attacked fakes."""
    folder, rows = tmp_path / "set", []
    for number in range(8):
        way = "jpeg-75" if number % 2 else ""
        pictures = {f"real/{number}.png": ("real", -3.0, None), f"fake/{number}.png": ("fake", 3.0, None)}
        if number < 2:
            attack = {"name": "square", "settings": {"queries": 100}}
            pictures[f"fake/attacked-{number}.png"] = ("fake", -2.0, attack)
        for name, (label, lean, attack) in pictures.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            pixels = tiny_detector.picture(72, 80, lean=lean, seed=number)
            assert cv2.imwrite(str(folder / name), pixels[:, :, ::-1])
            row = {"path": name, "label": label, "group": f"g{number}", "treatment": way, "attack": attack}
            rows.append(row | ({"family": "somegan"} if label == "fake" else {}))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def blind(tmp_path: Path) -> Path:
    """A third party's detector that looks for something else."""
    path = tmp_path / "theirs" / "blind.onnx"
    path.parent.mkdir()
    onnx.save(tiny_detector.graph("pattern"), path)
    path.with_suffix(".toml").write_text(
        'name = "blind"\n[input]\nlayout = "NHWC"\nscale = 1.0\n[output]\nname = "logit"\nthreshold = 0.5\n'
    )
    return path


def test_two_detectors_stand_side_by_side_with_what_breaks_each(
    touchstone: Touchstone, test_set: Path, blind: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    ran = touchstone(
        "testset", "score", test_set, "--model", "colour", "--model", blind, "--out", out, "--json"
    )

    assert ran.code == 0
    assert ran.json["detectors"] == ["colour@1", "blind@0"]
    assert ran.out == (out / "score.json").read_text()
    lines = {(line["facet"], line["name"]): line["standings"] for line in ran.json["lines"]}
    assert lines.keys() == {
        ("family", "somegan"),
        ("delivery", "as it is"),
        ("delivery", "jpeg-75"),
        ("attack", "square:queries=100"),
    }
    ours, theirs = lines["family", "somegan"]
    assert (ours["caught"], ours["alarms"]) == (1.0, 0.0)
    assert theirs["caught"] == 0.0
    assert lines["attack", "square:queries=100"][0]["caught"] == 0.0
    page = (out / "score.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 3
    assert all(word in page for word in ("colour@1", "blind@0", "square:queries=100", "fake, missed"))
    assert "http" not in page.replace("http-equiv", "")
    assert {path.name for path in out.iterdir()} >= {"colour.html", "colour.json", "blind.html", "score.html"}


def test_a_rerun_takes_the_scores_that_are_there_and_writes_the_same_bytes(
    touchstone: Touchstone, test_set: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    first = touchstone("testset", "score", test_set, "--out", out)
    page, kept = (out / "score.html").read_bytes(), (out / "default.jsonl").read_bytes()

    again = touchstone("testset", "score", test_set, "--out", out)

    assert (first.code, again.code) == (0, 0)
    assert "By attacks, the worst first" in again.out
    assert (out / "score.html").read_bytes() == page
    assert (out / "default.jsonl").read_bytes() == kept


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_compared(
    touchstone: Touchstone, test_set: Path, tmp_path: Path
) -> None:
    (test_set / "real" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    ran = touchstone("testset", "score", test_set, "--out", tmp_path / "scores", "--json")

    assert ran.code == 1
    assert ran.json["pooled"]["reals"] == 7
    assert ran.err.startswith("touchstone: damaged: real/3.png: ")


def test_detectors_of_one_name_get_files_of_their_own_and_none_takes_the_page(
    touchstone: Touchstone, test_set: Path, blind: Path, tmp_path: Path
) -> None:
    others = []
    for folder, name in (("other", "blind"), ("third", "score")):
        path = tmp_path / folder / f"{name}.onnx"
        path.parent.mkdir()
        path.write_bytes(blind.read_bytes())
        path.with_suffix(".toml").write_bytes(blind.with_suffix(".toml").read_bytes())
        others += ["--model", path]

    ran = touchstone("testset", "score", test_set, "--model", blind, *others, "--out", tmp_path / "scores")

    assert ran.code == 0
    names = {path.name for path in (tmp_path / "scores").glob("*.html")}
    assert names == {"blind.html", "blind-2.html", "score-2.html", "score.html"}


def test_a_folder_that_cannot_be_is_said(touchstone: Touchstone, test_set: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ran = touchstone("testset", "score", test_set, "--out", tmp_path / "file" / "scores")

    assert ran.code == 3
    assert "cannot be written" in ran.err
    assert ran.err.count("\n") == 1


def test_what_the_first_detector_missed_is_gathered_with_its_twins_to_be_trained_on(
    touchstone: Touchstone, test_set: Path, tmp_path: Path
) -> None:
    manifest = test_set / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for row in rows:
        if row["label"] == "fake":
            row |= {"twin_of": f"real/{row['group'][1:]}.png", "split": "test"}
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    hard = tmp_path / "hard-squares"
    asked = ("testset", "score", test_set, "--model", "colour", "--out", tmp_path / "scores", "--hard", hard)

    ran = touchstone(*asked)

    assert ran.code == 0
    assert "2 hard pairs of colour@1 in" in ran.out
    assert "2 forgeries not called fake, 0 beside a real that was" in ran.out
    found = read(hard)
    assert Counter(entry.label for entry in found) == {"real": 2, "fake": 2}
    fakes = [entry for entry in found if entry.label == "fake"]
    assert {entry.family for entry in fakes} == {"hard-squares"}
    assert {entry.split for entry in found} == {""}
    for entry in fakes:
        assert entry.path.read_bytes() == (test_set / entry.key).read_bytes()
        assert entry.twin_of in {one.key for one in found}
    assert touchstone(*asked).code == 0
    assert read(hard) == found


def test_hard_items_go_into_no_folder_that_holds_something_else(
    touchstone: Touchstone, test_set: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    ran = touchstone("testset", "score", test_set, "--out", tmp_path / "scores", "--hard", other)
    assert ran.code == 2
    assert "holds something else" in ran.err
