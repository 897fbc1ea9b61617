"""`touchstone models diff`: the media on which two detectors disagree."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from tests import tiny_detector
from tests.command_line import Touchstone


@pytest.fixture
def two_detectors(touchstone: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colour detector, and one of the same colours that convicts from a lower score on."""
    folder = tiny_detector.install(tmp_path / "models")
    bolder = replace(tiny_detector.CALIBRATION, fake_at=0.45)
    tiny_detector.install(folder, calibration=bolder, version="2")
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(folder))


@pytest.mark.usefixtures("two_detectors")
def test_the_media_that_are_judged_otherwise_are_listed(touchstone: Touchstone, media: Path) -> None:
    told = touchstone("models", "diff", "colour@1", "colour@2", media)
    table = touchstone("models", "diff", "colour@1", "colour@2", media, "--csv", "-")

    assert told.code == 0
    assert told.out.startswith("1 of 4 verdicts changed: uncertain to fake 1")
    assert "d-unclear.png" in told.out
    (row,) = csv.DictReader(io.StringIO(table.out))
    assert (row["before"], row["after"]) == ("uncertain", "fake")
    assert (row["model_before"], row["model_after"]) == ("colour@1", "colour@2")
    assert row["fake_probability_before"] == row["fake_probability_after"]
    assert "1 of 4 verdicts changed" in table.err


@pytest.mark.usefixtures("two_detectors")
def test_what_cannot_be_examined_counts_as_no_verdict(touchstone: Touchstone, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    ran = touchstone("models", "diff", "colour@1", "colour@2", tmp_path / "torn.png")
    missing = touchstone("models", "diff", "colour@1", "nobody", tmp_path / "torn.png")

    assert (ran.code, ran.out) == (1, "0 of 1 verdicts changed\n")
    assert missing.code == 3
    assert "No installed model is called 'nobody'" in missing.err
