"""The other commands, through the real runtime: generate, models, doctor, train --dry-run."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evidence.image import decode_image
from tests import tiny_detector, tiny_generators
from tests.command_line import Touchstone, write_picture
from touchstone.cli import fetching


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny detector and both tiny generators, in a folder of this test's own."""
    folder = tiny_detector.install(tmp_path / "models")
    tiny_generators.install(folder)
    return folder


@pytest.fixture
def workshop(touchstone: Touchstone, models: Path, monkeypatch: pytest.MonkeyPatch) -> Touchstone:
    """The command line with `models`."""
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(models))
    return touchstone


def test_samples_come_with_their_origin_and_the_same_seed_gives_the_same(
    workshop: Touchstone, tmp_path: Path
) -> None:
    for folder in ("first", "second"):
        asked = ("--count", 5, "--seed", 7, "--grid", "--out", tmp_path / folder)
        assert workshop("generate", "dots", *asked).code == 0

    rows = [json.loads(line) for line in (tmp_path / "first" / "manifest.jsonl").read_text().splitlines()]
    assert [(row["seed"], row["index"], row["label"]) for row in rows] == [(7, n, "fake") for n in range(5)]
    for row in rows:
        first, second = (decode_image(tmp_path / folder / row["path"])[1] for folder in ("first", "second"))
        assert np.array_equal(first, second)
    sheet = cv2.imread(str(tmp_path / "first" / "dots-7-grid.png"))
    assert sheet.shape == (32, 48, 3)


def test_a_twin_has_the_size_and_the_jpeg_history_of_its_picture(
    workshop: Touchstone, tmp_path: Path
) -> None:
    real = tmp_path / "real.jpg"
    pixels = tiny_detector.picture(75, 90, lean=0)
    assert cv2.imwrite(str(real), pixels, [cv2.IMWRITE_JPEG_QUALITY, 71])

    ran = workshop("generate", "mirror", "--input", real, "--out", tmp_path / "twins")

    assert ran.code == 0
    (before, _), (after, twin) = decode_image(real), decode_image(Path(ran.out.strip()))
    assert twin.shape == (75, 90, 3)
    assert before.jpeg is not None
    assert after.jpeg == before.jpeg
    (row,) = [json.loads(line) for line in (tmp_path / "twins" / "manifest.jsonl").read_text().splitlines()]
    assert row["parents"] == [before.sha256]


def test_twins_of_equal_names_stand_side_by_side_and_a_broken_picture_is_left_out(
    workshop: Touchstone, tmp_path: Path
) -> None:
    inputs: list[object] = []
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        inputs += ["--input", write_picture(tmp_path / folder / "x.png", 6 * number, side=64)]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    ran = workshop("generate", "mirror", *inputs, "--input", tmp_path / "broken.png", "--out", tmp_path / "o")

    assert ran.code == 1
    assert ran.err.startswith("touchstone: damaged: ")
    assert "broken.png" in ran.err
    rows = [json.loads(line) for line in (tmp_path / "o" / "manifest.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == ["x-mirror.png", "x-mirror-2.png"]
    for row in rows:
        assert hashlib.sha256((tmp_path / "o" / row["path"]).read_bytes()).hexdigest() == row["sha256"]
    assert rows[0]["sha256"] != rows[1]["sha256"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["mirror"], 2),
        (["dots", "--input", "x.jpg"], 2),
        (["colour"], 2),
        (["nothing"], 3),
        (["mirror", "--input", "missing.jpg"], 3),
    ],
)
def test_generate_says_what_a_system_takes(
    workshop: Touchstone, tmp_path: Path, arguments: list[str], code: int
) -> None:
    ran = workshop("generate", *arguments, "--out", tmp_path / "out")

    assert ran.code == code
    assert ran.err.count("\n") == 1


def test_a_full_disk_ends_generate_with_a_line(workshop: Touchstone) -> None:
    ran = workshop("generate", "dots", "--out", "/dev/full/out")

    assert ran.code == 3
    assert "cannot be written" in ran.err


def test_models_are_listed_and_a_changed_file_is_found(workshop: Touchstone, models: Path) -> None:
    assert {"colour", "dots", "mirror"} <= {row["name"] for row in workshop("models", "--json").json}
    assert workshop("models", "verify").code == 0
    with (models / "dots.onnx").open("ab") as file:
        file.write(b"x")

    ran = workshop("models", "verify")

    assert ran.code == 1
    assert [line.split()[:2] for line in ran.out.splitlines() if "WRONG" in line] == [["WRONG", "dots@1"]]
    assert workshop("models", "verify", "mirror").code == 0


def test_a_changed_detector_scans_nothing(workshop: Touchstone, models: Path, media: Path) -> None:
    with (models / "colour.onnx").open("ab") as file:
        file.write(b"x")

    ran = workshop("scan", media)

    assert ran.code == 3
    assert "model_tampered" in ran.err


def test_doctor_tries_everything_and_shows_the_settings_in_force(
    workshop: Touchstone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_SAMPLE_FRAMES", "77")

    found = workshop("doctor", "--json")

    assert found.code == 0
    states = {check["name"]: check["state"] for check in found.json["checks"]}
    assert [states[name] for name in ("providers", "detector", "models", "pictures", "videos")] == [
        "works"
    ] * 5
    assert states["faces"] == "absent"
    assert found.json["settings"]["sample_frames"] == 77


def test_doctor_fails_when_the_detector_is_gone(workshop: Touchstone, models: Path) -> None:
    (models / "colour.onnx").unlink()

    ran = workshop("doctor")

    assert ran.code == 1
    assert "fails" in ran.out


def test_offline_the_face_finder_cannot_be_fetched_and_the_way_by_hand_is_told(
    workshop: Touchstone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: Any, **named: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)

    ran = workshop("models", "fetch", "yunet")

    assert ran.code == 3
    assert "no route to host" in ran.err
    assert "TOUCHSTONE_FACE_MODEL" in ran.err
    assert workshop("models", "fetch", "something").code == 2


def test_a_download_with_another_sum_is_not_kept(
    workshop: Touchstone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other.onnx").write_bytes(b"not the face finder")
    other = fetching.Remote((tmp_path / "other.onnx").as_uri(), "yunet.onnx", "00" * 32, 1000, "MIT")
    monkeypatch.setitem(fetching.FILES, "yunet", other)

    ran = workshop("models", "fetch", "yunet")

    assert ran.code == 3
    assert "model_tampered" in ran.err
    assert not (tmp_path / "data").exists()


def test_a_right_download_is_kept_and_not_fetched_twice(
    workshop: Touchstone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "source.onnx"
    source.write_bytes(b"a face finder")
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    monkeypatch.setitem(
        fetching.FILES, "yunet", fetching.Remote(source.as_uri(), "y.onnx", sha256, 13, "MIT")
    )

    kept = Path(workshop("models", "fetch", "yunet").out.strip())
    source.unlink()

    assert kept.read_bytes() == b"a face finder"
    assert workshop("models", "fetch", "yunet").code == 0


def test_a_dry_run_prints_the_configuration_and_trains_nothing(workshop: Touchstone, tmp_path: Path) -> None:
    plan = workshop("train", "dcgan", "--dry-run", "--seed", 3, "--budget-minutes", 1.5).json
    assert (plan["system"], plan["seed"], plan["settled"]["budget_minutes"]) == ("dcgan", 3, 1.5)

    changes = ("--set", "learning_rate=1e-4", "--set", "bfloat16=false")
    plan = workshop("train", "detector", "--dry-run", "--data", "twins", "--seed", 5, *changes).json
    assert (plan["system"], plan["preset"], plan["data"], plan["seed"]) == ("detector", "shipped", "twins", 5)
    assert (plan["settled"]["learning_rate"], plan["settled"]["bfloat16"]) == (1e-4, False)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "no-such-gan"],
        ["train", "detector"],
        ["train", "detector", "--set", "nonsense=1"],
        ["train", "detector", "--dry-run", "--preset", "nonsense"],
        ["train", "detector", "--set", "learning_rate"],
        ["train", "detector", "--set", "learning_rate=fast"],
        ["train", "dcgan", "--set", "nonsense=1"],
        ["export", "never-trained"],
        ["export", "colour", "--int8", "set", "--run", "runs/colour"],
        ["export", "dots", "--int8", "set"],
    ],
)
def test_wrong_usage_of_the_workshop_is_2_with_one_line(workshop: Touchstone, arguments: list[str]) -> None:
    ran = workshop(*arguments)

    assert ran.code == 2
    assert ran.err.startswith("touchstone: usage: ")


def test_the_integer_form_of_an_installed_detector_is_published_where_told(
    workshop: Touchstone, tmp_path: Path
) -> None:
    for label, lean in (("real", -6), ("fake", 6)):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(4):
            write_picture(tmp_path / "set" / label / f"{number}.png", lean + number / 4, side=256)

    ran = workshop("export", "colour", "--int8", tmp_path / "set", "--to", tmp_path / "out", "--json")

    assert ran.code == 0
    assert (ran.json["name"], ran.json["version"], ran.json["tags"]["precision"]) == (
        "colour-int8",
        "1",
        "int8",
    )
    assert (tmp_path / "out" / ran.json["file"]).is_file()


@pytest.mark.parametrize(
    "command", ["scan", "generate", "train", "export", "evaluate", "lint", "doctor", "models"]
)
def test_the_help_of_every_command_has_an_example(touchstone: Touchstone, command: str) -> None:
    ran = touchstone(command, "--help")

    assert ran.code == 0
    assert f"touchstone {command}" in " ".join(ran.out.split())
