"""Resume and interrupt: nothing is scanned twice, nothing that was done is lost, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Touchstone, write_picture
from touchstone.cli import scan
from worker.scanner import Scanner


@pytest.fixture(autouse=True)
def _forgetful(touchstone: Touchstone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second scan of a file is told of the first, and these compare the two."""
    monkeypatch.setenv("TOUCHSTONE_REGISTRY", "false")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, lean in enumerate((6, -6, 0, 6, -6, -6)):
        write_picture(folder / f"{number}.png", lean, side=64 + 8 * number)
    return folder


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that truly reach the scanner."""
    reached: list[str] = []
    scan_all = Scanner.scan_all

    def listening(self: Scanner, paths: Any) -> Any:
        def told() -> Any:
            for path in paths:
                reached.append(Path(path).name)
                yield path

        return scan_all(self, told())

    monkeypatch.setattr(Scanner, "scan_all", listening)
    return reached


def reports_in(path: Path) -> list[dict[str, Any]]:
    """The reports of a JSONL file without what two scans of the same may differ in."""
    reports = [json.loads(line) for line in path.read_text().splitlines()]
    return [{**r, "timings": {}, "models": [{**model, "ms": 0} for model in r["models"]]} for r in reports]


def interrupt_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when so many media have been handed out."""
    hand_out, handed = scan._hand_out, []

    def pressing(item: Any, *rest: Any) -> None:
        hand_out(item, *rest)
        handed.append(item)
        if len(handed) == count:
            monkeypatch.setattr(scan, "_hand_out", hand_out)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(scan, "_hand_out", pressing)


def test_an_interrupted_scan_that_is_resumed_ends_like_one_that_was_not(
    touchstone: Touchstone, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: list[str]
) -> None:
    whole, state = tmp_path / "whole.jsonl", tmp_path / "state.jsonl"
    touchstone("scan", folder, "--jsonl", whole)
    interrupt_after(2, monkeypatch)

    stopped = touchstone("scan", folder, "--resume", state)

    assert stopped.code == 130
    assert "2 of 6 media are done" in stopped.err
    assert f"--resume {state}" in stopped.err
    assert reports_in(state) == reports_in(whole)[:2]

    scanned.clear()
    resumed = touchstone("scan", folder, "--resume", state, "--csv", tmp_path / "out.csv")

    assert resumed.code == 0
    assert scanned == ["2.png", "3.png", "4.png", "5.png"]
    assert reports_in(state) == reports_in(whole)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 7
    assert "6 media" in resumed.out


def test_the_html_says_of_what_was_taken_over_why_it_has_no_picture(
    touchstone: Touchstone, folder: Path, tmp_path: Path
) -> None:
    state, page = tmp_path / "state.jsonl", tmp_path / "out.html"
    touchstone("scan", folder / "0.png", folder / "1.png", "--resume", state, "--html", page)
    first = page.read_text()

    touchstone("scan", folder, "--resume", state, "--html", page)

    articles = page.read_text().split("<article")[1:]
    assert "Taken over" not in first
    said = "Taken over from an earlier scan; scan again without --resume for its picture."
    assert [said in article for article in articles] == [True, True, False, False, False, False]
    assert ["<img" in article for article in articles] == [False, False, True, True, True, True]


def test_the_jsonl_of_an_interrupted_scan_is_valid_and_can_be_resumed_from(
    touchstone: Touchstone, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: list[str]
) -> None:
    out = tmp_path / "out.jsonl"
    interrupt_after(3, monkeypatch)
    assert touchstone("scan", folder, "--jsonl", out).code == 130
    scanned.clear()

    touchstone("scan", folder, "--jsonl", out, "--resume", out)

    assert scanned == ["3.png", "4.png", "5.png"]
    assert [Path(r["media"]["path"]).name for r in reports_in(out)] == [f"{n}.png" for n in range(6)]


def test_what_was_scanned_before_is_not_scanned_again_not_even_under_another_name(
    touchstone: Touchstone, folder: Path, tmp_path: Path, scanned: list[str]
) -> None:
    state = tmp_path / "state.jsonl"
    touchstone("scan", folder, "--resume", state)
    (folder / "0.png").rename(folder / "9.png")
    scanned.clear()

    ran = touchstone("scan", folder, "--resume", state, "--json")

    assert scanned == []
    assert [Path(r["media"]["path"]).name for r in ran.json] == [f"{n}.png" for n in (1, 2, 3, 4, 5, 9)]
    assert ran.json[-1]["verdict"] == "fake"


def test_a_file_that_changed_is_scanned_again_and_its_line_replaced_in_place(
    touchstone: Touchstone, folder: Path, tmp_path: Path, scanned: list[str]
) -> None:
    state = tmp_path / "state.jsonl"
    touchstone("scan", folder, "--resume", state)
    write_picture(folder / "1.png", 6, side=80)
    scanned.clear()

    touchstone("scan", folder, "--resume", state)

    assert scanned == ["1.png"]
    found = reports_in(state)
    assert [Path(r["media"]["path"]).name for r in found] == [f"{n}.png" for n in range(6)]
    assert found[1]["verdict"] == "fake"


def test_other_settings_or_another_detector_take_nothing_over(
    touchstone: Touchstone,
    folder: Path,
    tmp_path: Path,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    scanned: list[str],
) -> None:
    state = tmp_path / "state.jsonl"
    touchstone("scan", folder, "--resume", state)

    for arguments, setting in (
        (["--model", models_folder / "colour.onnx"], "64"),
        (["--every", "3"], "64"),
        ([], "2"),
    ):
        scanned.clear()
        monkeypatch.setenv("TOUCHSTONE_TILES_PER_IMAGE", setting)
        touchstone("scan", folder, "--resume", state, *arguments)
        assert len(scanned) == 6


def test_a_failed_file_is_tried_again(
    touchstone: Touchstone, folder: Path, tmp_path: Path, scanned: list[str]
) -> None:
    state = tmp_path / "state.jsonl"
    (folder / "3.png").write_bytes(b"")
    assert touchstone("scan", folder, "--resume", state).code == 1
    write_picture(folder / "3.png", 6)
    scanned.clear()

    assert touchstone("scan", folder, "--resume", state).code == 0
    assert scanned == ["3.png"]
    assert len(reports_in(state)) == 6


def test_a_line_torn_by_a_kill_is_cut_off(
    touchstone: Touchstone, folder: Path, tmp_path: Path, scanned: list[str]
) -> None:
    state = tmp_path / "state.jsonl"
    touchstone("scan", folder, "--resume", state)
    data = state.read_bytes()
    state.write_bytes(data[: data.rindex(b"\n", 0, -1) + 50])
    scanned.clear()

    touchstone("scan", folder, "--resume", state)

    assert scanned == ["5.png"]
    assert len(reports_in(state)) == 6


def test_a_link_to_the_state_stays_a_link(touchstone: Touchstone, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link.jsonl").symlink_to("state.jsonl")
    touchstone("scan", folder, "--resume", tmp_path / "link.jsonl")
    write_picture(folder / "1.png", 6, side=80)

    touchstone("scan", folder, "--resume", tmp_path / "link.jsonl")  # puts the new line in its place

    assert (tmp_path / "link.jsonl").is_symlink()
    assert reports_in(tmp_path / "state.jsonl")[1]["verdict"] == "fake"


@pytest.mark.parametrize("content", [b"no report\n", b'{"schema":"other"}\n', b"\xff\xd8\xff" * 50])
def test_a_file_of_something_else_is_refused_and_left_alone(
    touchstone: Touchstone, folder: Path, tmp_path: Path, content: bytes
) -> None:
    state = tmp_path / "precious.jpg"
    state.write_bytes(content)

    ran = touchstone("scan", folder, "--resume", state)

    assert ran.code == 2
    assert state.read_bytes() == content


def test_a_device_is_no_place_to_resume_from(touchstone: Touchstone, folder: Path) -> None:
    assert touchstone("scan", folder, "--resume", "/dev/full").code == 2


def test_ctrl_c_twice_ends_at_once_without_a_traceback_or_a_child_left(
    folder: Path, models_folder: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    for number in range(10, 300):
        os.link(folder / "5.png", folder / f"{number}.png")
    environment = {**os.environ, "TOUCHSTONE_MODELS": str(models_folder), "TMPDIR": str(scratch)}
    with subprocess.Popen(
        [sys.executable, "-m", "touchstone", "scan", str(folder), "--progress", "json", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stderr is not None
        told = process.stderr.readline()  # it is at work
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert json.loads(told)["event"] == "item"
    assert process.returncode == 130
    assert "Traceback" not in said
    assert list(scratch.iterdir()) == []
