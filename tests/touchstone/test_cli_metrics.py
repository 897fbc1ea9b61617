"""`touchstone metrics`: what it prints, what it leaves out and why, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests import tiny_detector, tiny_generators
from tests.command_line import Touchstone


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    models = tiny_detector.install(tmp_path / "models")
    tiny_generators.install(models)
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(models))
    for name, level in (("real", 90), ("fake", 160)):
        (tmp_path / name).mkdir()
        for index in range(8):
            rng = np.random.default_rng((index, level))
            pixels = rng.normal(level, 30, (64, 64, 3)).clip(0, 255).astype(np.uint8)
            assert cv2.imwrite(str(tmp_path / name / f"{index}.png"), pixels)
    return tmp_path / "real", tmp_path / "fake"


def test_two_folders_get_their_scores_with_what_they_were_taken_with(
    touchstone: Touchstone, folders: tuple[Path, Path]
) -> None:
    ran = touchstone("metrics", *folders, "--extractor", "random", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "touchstone.metrics/1"
    mark = ran.json["extractor"].partition("@")[2]
    assert ran.json["scores"][f"KID@{mark}"] > 0
    assert ran.json["scores"]["SWD 64 px"] >= 0
    assert ran.json["reals"]["pictures"] == 8
    assert "singular" in ran.json["left_out"][f"FID@{mark}"]
    assert "FID" not in ran.json["scores"]
    assert "classes" in ran.json["left_out"]["IS"]


def test_a_set_is_at_no_distance_from_itself(touchstone: Touchstone, folders: tuple[Path, Path]) -> None:
    scores = touchstone("metrics", folders[0], folders[0], "--extractor", "random", "--json").json["scores"]
    assert scores["spectrum dB"] == 0
    assert scores["SWD mean"] == 0
    assert [scores[name] for name in scores if name.startswith(("precision", "recall"))] == [1, 1]


def test_a_generator_is_sampled_for_the_fakes(touchstone: Touchstone, folders: tuple[Path, Path]) -> None:
    ran = touchstone("metrics", folders[0], "dots", "--count", 6, "--size", 32, "--extractor", "random")
    assert ran.code == 0
    assert "dots@" in ran.out
    assert "6 pictures" in ran.out


def test_pictures_of_several_sizes_have_no_low_level_scores_unless_squared(
    touchstone: Touchstone, folders: tuple[Path, Path]
) -> None:
    assert cv2.imwrite(str(folders[1] / "wide.png"), np.zeros((70, 90, 3), np.uint8))
    ran = touchstone("metrics", *folders, "--extractor", "random", "--json")
    assert "--size" in ran.json["left_out"]["SWD"]
    squared = touchstone("metrics", *folders, "--extractor", "random", "--size", 32, "--json")
    assert squared.json["scores"]["SWD mean"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("real", "nowhere"), "neither a folder nor a known set"),
        (("real", "empty"), "holds no pictures"),
        (("real", "one"), "at least two"),
        (("real", "broken"), "cannot be measured"),
    ],
)
def test_what_cannot_be_measured_is_named(
    touchstone: Touchstone,
    folders: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, str],
    words: str,
) -> None:
    for name in ("empty", "one", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a.png").write_bytes((folders[0] / "0.png").read_bytes())
    for number in range(2):
        (tmp_path / "broken" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    monkeypatch.chdir(tmp_path)
    ran = touchstone("metrics", *arguments, "--extractor", "random")
    assert ran.code in (2, 3)
    assert words in ran.err


def test_without_the_inception_weights_the_way_to_them_is_said(
    touchstone: Touchstone, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    ran = touchstone("metrics", *folders, "--inception", tmp_path / "none.pth")
    assert ran.code in (2, 3)
    assert "Inception weights" in ran.err
    assert "Traceback" not in ran.err
