"""`touchstone testset attack` through the real runtime: what it writes, resumes, counts and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.readers import read
from tests import tiny_detector
from tests.command_line import Touchstone, rows_of, write_picture


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Two fakes that the colour detector calls so, one that it misses, and a real."""
    leans = {"fake/red": 3.0, "fake/reddish": 2.6, "fake/missed": -3.0, "real/blue": -3.0}
    for name, lean in leans.items():
        path = tmp_path / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, lean, side=64)
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    assert cv2.imwrite(str(tmp_path / "set" / "mask.png"), mask)
    rows = [
        {"path": f"{name}.png", "label": name.split("/")[0], "generator": "paint", "group": name}
        | ({"mask": "mask.png"} if name == "fake/red" else {})
        for name in leans
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "set" / "manifest.jsonl").write_text(lines)
    return tmp_path / "set"


def test_attacked_pictures_keep_label_mask_and_origin_and_say_what_was_done(
    touchstone: Touchstone, collection: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    ran = touchstone(
        *("testset", "attack", collection, "--out", out, "--json", "--seed", 3),
        *("--attack", "square:eps=40,queries=300", "--attack", "renoise"),
    )

    assert ran.code == 0
    rows = {row["path"]: row for row in rows_of(out)}
    assert len(rows) == 8
    row = rows["fake/square-queries300-eps40/fake_red.png"]
    assert (row["label"], row["generator"], row["group"], row["attack_seed"]) == (
        *("fake", "paint", "fake/red"),
        3,
    )
    assert row["attack"]["settings"]["eps"] == 40
    assert row["flipped"]
    assert row["after"] < row["before"]
    assert row["queries"] <= 300
    assert row["mask"] == "mask/fake/square-queries300-eps40/fake_red.png"
    assert {entry.label for entry in read(out)} == {"real", "fake"}
    missed = rows["fake/square-queries300-eps40/fake_missed.png"]
    assert (missed["fake"], missed["flipped"], missed["queries"]) == (False, None, 1)
    (square, *_) = [line for line in ran.json["attacks"] if line["attack"].startswith("square")]
    assert (square["label"], square["pictures"], square["missed"], square["judged"]) == ("fake", 3, 1, 2)
    assert square["turned"] == 2
    assert json.loads((out / "attacks.json").read_text()) == ran.json


def test_the_same_command_goes_on_and_gives_the_same_bytes(
    touchstone: Touchstone, collection: Path, tmp_path: Path
) -> None:
    command = ("testset", "attack", collection, "--attack", "square:eps=8,queries=20", "--attack", "recode")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    touchstone(*command, "--out", whole)
    touchstone(*command, "--out", broken)
    lines = (broken / "manifest.jsonl").read_text().splitlines(keepends=True)
    (broken / "manifest.jsonl").write_text("".join(lines[:3]) + lines[3][:40])  # killed in the fourth row
    kept = broken / json.loads(lines[0])["path"]
    before = kept.stat().st_mtime_ns

    ran = touchstone(*command, "--out", broken)

    assert ran.code == 0
    assert kept.stat().st_mtime_ns == before
    assert (broken / "manifest.jsonl").read_bytes() == (whole / "manifest.jsonl").read_bytes()
    assert all(
        (broken / row["path"]).read_bytes() == (whole / row["path"]).read_bytes() for row in rows_of(whole)
    )


def test_a_result_is_scored_by_a_detector_that_was_not_asked(touchstone: Touchstone, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", 3.0, side=64)
    other = tiny_detector.install(tmp_path / "other", "pattern") / "pattern.onnx"

    ran = touchstone(
        *("testset", "attack", picture, "--out", tmp_path / "out", "--smallest", "--label", "fake"),
        *("--attack", "pgd:eps=16", "--transfer", other),
    )

    assert ran.code == 0
    (row,) = rows_of(tmp_path / "out")
    assert row["transfer"]["pattern@0"]["fake"] is False
    assert 1 <= row["smallest"]["eps"] < 16
    assert "pattern@0" in ran.out


def test_laundering_needs_no_detector(touchstone: Touchstone, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", 3.0, side=64)

    ran = touchstone(
        "testset", "attack", picture, "--model", "-", "--attack", "grid", "--out", tmp_path / "o"
    )

    assert ran.code == 0
    (row,) = rows_of(tmp_path / "o")
    assert (row["label"], row["model"], row["flipped"], row["queries"]) == (None, None, None, 0)
    assert row["psnr"] > 25


def test_a_broken_picture_is_named_and_left_out(
    touchstone: Touchstone, collection: Path, tmp_path: Path
) -> None:
    (collection / "fake" / "red.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    ran = touchstone("testset", "attack", collection, "--attack", "resample", "--out", tmp_path / "out")

    assert ran.code == 1
    assert ran.err.startswith("touchstone: damaged: ")
    assert "red.png" in ran.err
    assert "1 file left out" in ran.out
    assert len(rows_of(tmp_path / "out")) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere", "--attack", "grid"), 2, "There is nothing at nowhere"),
        ((".", "--attack", "grid", "--out", "out"), 2, "lies in"),
        (("a.png", "--attack", "melt"), 2, "There is no attack called 'melt'. There are pgd"),
        (("a.png", "--attack", "square", "--model", "-"), 2, "square asks a detector"),
        (("a.png", "--attack", "grid", "--model", "nobody"), 3, "No installed model is called 'nobody'"),
        (("a.png", "--attack", "rebuild:model=nobody"), 3, "No installed model is called 'nobody'"),
        (("a.png", "--attack", "pgd", "--model", "note.onnx"), 3, "This is no ONNX model"),
    ],
)
def test_what_cannot_be_attacked_is_said_in_one_line(
    touchstone: Touchstone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "a.png", 3.0, side=64)
    (tmp_path / "note.onnx").write_text("not a graph")

    ran = touchstone("testset", "attack", *arguments, *(() if "--out" in arguments else ("--out", "../none")))

    assert ran.code == code
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not list(Path("../none").glob("*/*"))
