"""CSV, JSON, JSONL and table: the contract's columns and types, exactly, and full disks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from evidence.errors import OutputError
from evidence.verdict import (
    ModelUse,
    Reason,
    Region,
    Report,
    Segment,
    Stability,
    Threshold,
    TimelinePoint,
)
from touchstone.report.csv import COLUMNS, CsvWriter
from touchstone.report.item import ReportItem
from touchstone.report.jsonl import JsonlWriter, JsonWriter
from touchstone.report.table import TableWriter

MEDIA = dict.fromkeys(
    ("path", "sha256", "kind", "mime", "size_bytes", "width", "height",
     "duration_s", "frames", "fps_mode", "rotation", "codec", "jpeg")
)  # fmt: skip

FAKE = ReportItem(
    Report(
        id="1",
        media={**MEDIA, "path": 'a "b",\nc.mp4', "kind": "video", "sha256": "ab", "width": 64, "height": 48,
               "mime": "video/mp4", "duration_s": 2.0},
        status="ok",
        verdict="fake",
        fake_probability=0.97,
        interval=(0.9, 0.99),
        threshold=Threshold("pooled", 0.9, 0.01, "tests", 100),
        stability=Stability(4, 5, ("JPEG quality 75",)),
        heatmap=((0.5, None),),
        regions=(Region((1, 2, 11, 22), "face", 0.9),),
        timeline=(TimelinePoint(0.0, 0, 0.1), TimelinePoint(1.0, 25, 0.97)),
        segments=(Segment(1.0, 2.0, 0.97),),
        models=(ModelUse("small", "2", "cd", 0.97, 3.0),),
        engine={"detector": "small@2"},
        timings={"total_ms": 12.5},
    )
)  # fmt: skip
FAILED = ReportItem(
    Report(
        id="2",
        media={**MEDIA, "path": "b\udcff.jpg"},
        status="unable",
        reason=Reason("damaged", "It is broken. Try the original."),
        engine={"detector": "small@2"},
        timings={"total_ms": 0.5},
    )
)


def test_the_first_columns_are_the_contract_and_a_failed_file_has_its_row(tmp_path: Path) -> None:
    writer = CsvWriter(tmp_path / "out.csv")
    writer.add(FAKE)
    writer.add(FAILED)
    writer.close()

    text = (tmp_path / "out.csv").read_bytes().decode("utf-8", "surrogateescape")
    header, fake, failed = csv.reader(io.StringIO(text, newline=""))

    assert header[:11] == [
        "path", "kind", "status", "verdict", "fake_probability", "interval_low", "interval_high",
        "generator", "reason", "model", "elapsed_ms",
    ]  # fmt: skip
    assert fake[:11] == [
        'a "b",\nc.mp4', "video", "ok", "fake", "0.97", "0.9", "0.99", "", "", "small@2", "12.5"
    ]  # fmt: skip
    assert dict(zip(COLUMNS, fake, strict=True))["stability"] == "4/5"
    assert failed[:11] == ["b\udcff.jpg", "", "unable", "", "", "", "", "", "damaged", "small@2", "0.5"]
    assert (tmp_path / "out.csv").read_bytes().count(b"b\xff.jpg") == 1  # the name's own bytes


def test_each_line_of_jsonl_is_a_report_and_appending_keeps_what_is_there(tmp_path: Path) -> None:
    for item in (FAKE, FAILED):
        writer = JsonlWriter(tmp_path / "out.jsonl", append=True)
        writer.add(item)
        writer.close()

    first, second = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]

    assert next(iter(first)) == "schema"
    assert first["heatmap"] == [[0.5, None]]
    assert second["reason"] == {"code": "damaged", "message": "It is broken. Try the original."}


@pytest.mark.parametrize(("count", "kind"), [(0, list), (1, list), (2, list)])
def test_json_is_one_document_for_any_number(
    count: int, kind: type, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = JsonWriter(single=False)
    for item in (FAKE, FAILED)[:count]:
        writer.add(item)
    writer.close()

    document = json.loads(capsys.readouterr().out)

    assert isinstance(document, kind)
    assert len(document) == count


def test_json_of_one_named_file_is_the_report_itself(capsys: pytest.CaptureFixture[str]) -> None:
    writer = JsonWriter(single=True)
    writer.add(FAKE)
    writer.close()

    assert json.loads(capsys.readouterr().out)["verdict"] == "fake"


@pytest.mark.parametrize("make", [CsvWriter, JsonlWriter])
def test_a_full_disk_is_an_output_error(make: type) -> None:
    with pytest.raises(OutputError, match="No space left"):
        make(Path("/dev/full")).add(FAKE)


def test_a_missing_folder_is_an_output_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"missing/out\.csv"):
        CsvWriter(tmp_path / "missing" / "out.csv")


def printed(items: list[ReportItem], *, card: bool) -> str:
    file = io.StringIO()
    writer = TableWriter(Console(file=file, width=80), card=card)
    for item in items:
        writer.add(item)
    writer.close()
    return file.getvalue()


def test_the_table_has_a_line_for_each_medium_a_reason_and_a_count() -> None:
    lines = printed([FAKE, FAILED], card=False).splitlines()

    assert lines[1].split()[:3] == ["fake", "97.0%", "90.0%-99.0%"]
    assert "\\n" in lines[1]  # a line feed in a name stays inside its line
    assert lines[2].startswith("unable")
    assert "damaged: It is broken." in lines[3]
    assert lines[-1] == "2 media: 1 fake, 1 unable"


def test_a_card_says_what_the_verdict_is_and_what_it_is_not() -> None:
    text = printed([FAKE], card=True)

    for part in ("FAKE", "generated or altered", "does not say who made", "4 of 5 re-encodings", "▁█",
                 "Face", "10 x 20 px at (1, 2)", "0:01.0 to 0:02.0", "small@2"):  # fmt: skip
        assert part in text


def test_a_card_of_a_failed_file_gives_the_reason_and_the_advice() -> None:
    text = printed([FAILED], card=True)

    assert "no verdict" in text
    assert "Try the original." in text
