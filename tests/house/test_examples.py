"""Each example runs as a reader would run it, and says what its first lines promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def _run(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_run_by_a_test(name: str) -> None:
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    assert any(name in text for text in tests)


def test_scan_image_prints_a_verdict_and_what_it_rests_on(photo_jpeg: Path) -> None:
    run = _run("scan_image.py", photo_jpeg)

    assert run.returncode == 0, run.stderr
    assert any(word in run.stdout for word in ("fake", "real", "uncertain"))
    assert "probability of forgery" in run.stdout


def test_scan_image_says_why_there_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("not a picture")

    run = _run("scan_image.py", tmp_path / "note.jpg")

    assert "unsupported" in run.stdout
    assert "Traceback" not in run.stderr


def test_sign_and_verify_signs_a_copy_and_says_what_it_declares(
    tmp_path: Path, photo_jpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "a.jpg").write_bytes(photo_jpeg.read_bytes())

    run = _run("sign_and_verify.py", tmp_path / "a.jpg")

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        str(tmp_path / "a.signed.jpg"),
        "Content Credentials hold, signed by somebody no trust list knows.",
        "Declared as made by a machine (trainedAlgorithmicMedia).",
    ]


def test_scan_folder_lists_every_file_and_goes_on_past_a_broken_one(
    tmp_path: Path, photo_jpeg: Path, photo_png: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo_jpeg.read_bytes())
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(photo_png.read_bytes())

    run = _run("scan_folder.py", tmp_path)

    assert run.returncode == 0, run.stderr
    assert [line.split()[-1] for line in run.stdout.splitlines()[:3]] == ["a.jpg", "b.jpg", "c.png"]
    assert "empty" in run.stdout


@pytest.mark.parametrize("name", ["scan_image.py", "scan_folder.py"])
def test_an_example_without_arguments_says_how_it_is_used(name: str) -> None:
    run = _run(name)

    assert run.returncode == 2
    assert f"usage: {name}" in run.stderr
