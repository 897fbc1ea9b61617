"""`touchstone scan`: verdicts, results, exit codes, standard input, with real files and the real runtime."""

from __future__ import annotations

import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Touchstone, write_picture
from tests.schema_check import faults

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "scan.schema.json").read_text())


def without_timings(report: dict[str, Any]) -> dict[str, Any]:
    """The report without the only fields that two scans of the same may differ in."""
    models = [{**model, "ms": 0} for model in report["models"]]
    return {**report, "timings": {}, "models": models}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return list(csv.DictReader(table))


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_a_folder_gets_a_verdict_each_in_order(touchstone: Touchstone, media: Path) -> None:
    ran = touchstone("scan", media, "--json")

    assert ran.code == 0
    assert [(Path(r["media"]["path"]).name, r["verdict"]) for r in ran.json] == [
        ("a-fake.png", "fake"), ("b-real.jpg", "real"), ("c-clip.mp4", "fake"), ("d-unclear.png", "uncertain")
    ]  # fmt: skip
    assert ran.err == ""


def test_every_report_follows_the_schema(touchstone: Touchstone, media: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")

    ran = touchstone("scan", media, tmp_path / "broken.jpg", "--json")

    assert len(ran.json) == 5
    assert [fault for report in ran.json for fault in faults(report, SCHEMA)] == []


def test_the_checker_of_the_schema_finds_what_is_wrong(touchstone: Touchstone, media: Path) -> None:
    report = touchstone("scan", media / "a-fake.png", "--json").json

    for name, value in (("verdict", "fishy"), ("fake_probability", 1.5), ("regions", [{}]), ("extra", 1)):
        assert faults({**report, name: value}, SCHEMA)


def test_one_file_is_one_report_and_a_video_has_its_timeline(touchstone: Touchstone, media: Path) -> None:
    report = touchstone("scan", media / "c-clip.mp4", "--json").json

    assert report["media"]["kind"] == "video"
    (part,) = report["segments"]
    assert (part["start"], part["end"]) == pytest.approx((2.0, 4.0), abs=0.51)  # sampled each half second
    assert [point["fake_probability"] > 0.5 for point in report["timeline"]] == [
        2.0 <= point["t"] < 4.0 for point in report["timeline"]
    ]
    assert report["coverage"]["errors"] == 0


def test_the_csv_has_a_row_for_each_input_in_order_also_for_those_that_failed(
    touchstone: Touchstone, media: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    inputs = [tmp_path / "text.jpg", media / "d-unclear.png", tmp_path / "gone.png", media / "a-fake.png"]

    ran = touchstone("scan", *inputs, "--csv", tmp_path / "out.csv")

    assert ran.code == 1
    rows = rows_of(tmp_path / "out.csv")
    assert [row["path"] for row in rows] == [str(path) for path in inputs]
    assert [row["status"] for row in rows] == ["unable", "ok", "unable", "ok"]
    assert [row["reason"] for row in rows] == ["unsupported", "between_thresholds", "unreadable", ""]
    assert [row["model"] for row in rows] == ["colour@1"] * 4
    assert [float(row["elapsed_ms"]) >= 0 for row in rows] == [True] * 4
    assert float(rows[3]["elapsed_ms"]) > 0


def test_all_results_of_one_scan_agree(touchstone: Touchstone, media: Path, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"out.{kind}" for kind in ("jsonl", "csv", "html")}

    ran = touchstone("scan", media, *(word for kind, path in files.items() for word in (f"--{kind}", path)))

    reports = [json.loads(line) for line in files["jsonl"].read_text().splitlines()]
    rows = rows_of(files["csv"])
    assert [r["verdict"] for r in reports] == [row["verdict"] for row in rows]
    assert [r["fake_probability"] for r in reports] == [float(row["fake_probability"]) for row in rows]
    assert "4 media: 2 fake, 1 real, 1 uncertain" in ran.out
    page = files["html"].read_text()
    assert all(report["media"]["path"] in page for report in reports)
    assert "data:image/" in page


def test_a_pdf_is_written_of_one_medium_and_one_of_each_of_several(
    touchstone: Touchstone, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")

    touchstone("scan", media / "a-fake.png", "--pdf", tmp_path / "one.pdf")
    ran = touchstone("scan", media / "a-fake.png", tmp_path / "broken.jpg", "--pdf", tmp_path / "filed")

    filed = sorted((tmp_path / "filed").iterdir())
    assert [path.name for path in filed] == ["1-a-fake.png.pdf", "2-broken.jpg.pdf"]
    words = [
        subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout
        for path in (tmp_path / "one.pdf", *filed)
    ]
    assert ["a-fake.png" in text for text in words] == [True, True, False]
    assert "unsupported" in words[2]
    assert ran.code == 1
    ran = touchstone("scan", media, "--pdf", tmp_path / "one.pdf")
    assert (ran.code, "Name a folder" in ran.err) == (2, True)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    ran = touchstone("scan", media / "a-fake.png", "--pdf", tmp_path / "other.pdf")
    assert (ran.code, ran.out, "touchstone[pdf]" in ran.err) == (2, "", True)
    assert not (tmp_path / "other.pdf").exists()


@pytest.mark.parametrize(
    ("names", "more", "code"),
    [
        (["b-real.jpg"], [], 0),
        (["a-fake.png"], [], 0),
        (["a-fake.png"], ["--fail-on", "fake"], 10),
        (["b-real.jpg"], ["--fail-on", "fake"], 0),
        (["b-real.jpg", "missing.jpg"], [], 1),
        (["a-fake.png", "missing.jpg"], ["--fail-on", "fake"], 10),
        (["missing.jpg"], [], 3),
        (["*.webp"], [], 3),
    ],
)
def test_the_exit_code_is_that_of_the_contract(
    touchstone: Touchstone, media: Path, names: list[str], more: list[str], code: int
) -> None:
    assert touchstone("scan", *(media / name for name in names), *more).code == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["scan", ".", "--no-such-option"],
        ["scan", "x.mp4", "--every", "1", "--keyframes"],
        ["scan", "x.mp4", "--every", "0"],
        ["scan", "x.mp4", "--every", "inf"],
        ["scan", "x.mp4", "--every", "nan"],
        ["scan", "x.mp4", "--every", "-1"],
        ["scan", "x.jpg", "--json", "--csv", "-"],
        ["scan", "x.jpg", "--fail-on", "real"],
        ["scan", "--from-file", "no-such-list"],
        ["scan", "empty-folder"],
        ["no-such-command"],
    ],
)
def test_wrong_usage_is_2_with_a_line_that_says_what(
    touchstone: Touchstone, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "empty-folder").mkdir()

    ran = touchstone(*arguments)

    assert ran.code == 2
    assert ran.err.strip()
    assert ran.out == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("--csv", "--jsonl"), ("--html", "--csv"), ("--jsonl", "--html"), ("--csv", "--resume")],
)
def test_two_results_in_one_file_are_refused_before_it_is_touched(
    touchstone: Touchstone, media: Path, tmp_path: Path, one: str, other: str
) -> None:
    (tmp_path / "out").write_text("precious")
    (tmp_path / "link").symlink_to("out")

    for name in ("out", tmp_path / "out", "link"):
        ran = touchstone("scan", media, one, "out", other, name)

        assert ran.code == 2
        assert one in ran.err
        assert other in ran.err
    assert (tmp_path / "out").read_text() == "precious"


@pytest.mark.parametrize("model", ["no-such-model", "no-such-file.onnx"])
def test_without_a_detector_nothing_can_be_done(touchstone: Touchstone, media: Path, model: str) -> None:
    ran = touchstone("scan", media, "--model", model)

    assert ran.code == 3
    assert "model_not_found" in ran.err


def test_a_bad_setting_is_wrong_usage(
    touchstone: Touchstone, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_MAX_PIXELS", "many")

    ran = touchstone("scan", media)

    assert ran.code == 2
    assert "max_pixels" in ran.err


@pytest.mark.parametrize("option", ["--csv", "--jsonl", "--html", "--pdf"])
def test_a_full_disk_is_one_clear_line_and_exit_3(touchstone: Touchstone, media: Path, option: str) -> None:
    ran = touchstone("scan", media / "a-fake.png", option, "/dev/full")

    assert ran.code == 3
    assert "No space left on device" in ran.err
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_report_in_a_missing_folder_is_refused_before_anything_is_scanned(
    touchstone: Touchstone, media: Path, tmp_path: Path
) -> None:
    ran = touchstone("scan", media, "--html", tmp_path / "missing" / "report.html")

    assert ran.code == 3
    assert ran.out == ""


def test_a_medium_on_standard_input_is_called_dash(
    touchstone: Touchstone, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = touchstone("scan", media / "a-fake.png", "--json").json
    piped(monkeypatch, (media / "a-fake.png").read_bytes())

    report = touchstone("scan", "-", "--json").json

    assert report["media"]["path"] == "-"
    assert report["media"]["sha256"] == named["media"]["sha256"]
    assert report["fake_probability"] == named["fake_probability"]


def test_rubbish_on_standard_input_is_unable_without_a_word_of_temporary_files(
    touchstone: Touchstone, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, b"")

    report = touchstone("scan", "-", "--json").json

    assert report["reason"]["code"] == "empty"
    assert "/dev/fd" not in report["reason"]["message"]


def test_standard_input_beyond_the_limit_is_refused(
    touchstone: Touchstone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_MAX_BYTES", "1000")
    piped(monkeypatch, b"\xff\xd8\xff" + bytes(5000))

    assert touchstone("scan", "-", "--json").json["reason"]["code"] == "too_large"


def test_a_list_of_paths_on_standard_input(
    touchstone: Touchstone, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, f"{media / 'b-real.jpg'}\n{media / 'a-fake.png'}\n".encode())

    ran = touchstone("scan", "--from-file", "-", "--json")

    assert [report["verdict"] for report in ran.json] == ["real", "fake"]


def test_a_file_twice_is_scanned_once(touchstone: Touchstone, media: Path) -> None:
    file = media / "a-fake.png"

    assert len(touchstone("scan", file, file, media / "a-*.png", "--json").json) == 1


def test_two_scans_of_the_same_give_the_same_report_alone_or_in_company(
    touchstone: Touchstone, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHSTONE_REGISTRY", "false")  # what is remembered is another report the second time
    together = touchstone("scan", media, "--json", "--jobs", "2").json

    for report in together:
        alone = touchstone("scan", report["media"]["path"], "--json").json
        assert without_timings(alone) == without_timings(report)


def test_every_and_max_frames_choose_the_frames(touchstone: Touchstone, media: Path) -> None:
    clip = media / "c-clip.mp4"

    assert len(touchstone("scan", clip, "--every", "2", "--json").json["timeline"]) == 3
    assert (
        len(touchstone("scan", clip, "--every", "0.5", "--max-frames", "2", "--json").json["timeline"]) == 2
    )


def test_progress_is_json_lines_on_standard_error_when_asked_for(touchstone: Touchstone, media: Path) -> None:
    ran = touchstone("scan", media, "--progress", "json", "--json")

    events = [json.loads(line) for line in ran.err.splitlines()]
    items = [event for event in events if event["event"] == "item"]
    assert [event["done"] for event in items] == [1, 2, 3, 4]
    assert items[-1]["total"] == 4
    assert any(event["event"] == "frame" and event["total"] > 1 for event in events)
    assert len(ran.json) == 4


def test_a_detector_of_somebody_else_joins_by_its_file(
    touchstone: Touchstone, media: Path, models_folder: Path
) -> None:
    report = touchstone("scan", media / "a-fake.png", "--model", models_folder / "colour.onnx", "--json").json

    # The bare file has no calibration, and what was never calibrated convicts nobody.
    assert (report["verdict"], report["reason"]["code"]) == ("uncertain", "uncalibrated")


def test_the_library_gives_what_the_command_gives(touchstone: Touchstone, media: Path) -> None:
    import touchstone as library

    report = library.scan(media / "a-fake.png").to_dict()

    printed = touchstone("scan", media / "a-fake.png", "--json").json
    assert without_timings(json.loads(json.dumps(report))) == without_timings(printed)


def test_a_name_that_is_no_text_comes_through(touchstone: Touchstone, tmp_path: Path) -> None:
    name = write_picture(tmp_path / "a.png", -6).rename(tmp_path / "\udcff\n.png")

    ran = touchstone("scan", name, name.parent / "*.png", "--json")

    assert ran.json[0]["media"]["path"] == str(name)
