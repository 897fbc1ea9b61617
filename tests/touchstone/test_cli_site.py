"""`touchstone models calibrate`: a site's own photographs move the bias of the detector that scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from exports.registry import Registry
from tests import tiny_detector
from tests.command_line import Touchstone

KNOWING = replace(tiny_detector.CALIBRATION, real_margin=-6.0)


@pytest.fixture
def site(touchstone: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixty photographs that lean a little to red; the detector that reads them is the default one."""
    folder = tiny_detector.install(tmp_path / "published", calibration=KNOWING)
    row = Registry([folder]).default("detector")
    Registry([folder]).add(replace(row, metrics={"parity": {}}))
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(folder))
    (tmp_path / "photos").mkdir()
    for number in range(60):
        pixels = tiny_detector.picture(64, 64, lean=-1.0 + number / 60, seed=number)
        assert cv2.imwrite(str(tmp_path / "photos" / f"{number}.png"), pixels[:, :, ::-1])
    return tmp_path / "photos"


def test_a_site_gets_a_detector_of_its_own_that_the_scan_then_uses(
    touchstone: Touchstone, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = touchstone("scan", site / "0.png", "--json").json
    ran = touchstone("models", "calibrate", site, "--to", tmp_path / "models", "--json")
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(tmp_path / "models"))
    after = touchstone("scan", site / "0.png", "--json").json

    assert ran.code == 0
    assert (ran.json["model"], ran.json["pictures"], ran.json["alarms_after"]) == ("colour@1+site", 60, 0)
    assert ran.json["shift"] < 0
    assert after["fake_probability"] < before["fake_probability"]
    assert (before["verdict"], after["verdict"]) == ("uncertain", "real")
    assert "60 photographs of a site" in after["threshold"]["measured_on"]


def test_what_cannot_be_read_is_named_and_too_little_is_refused(
    touchstone: Touchstone, site: Path, tmp_path: Path
) -> None:
    (site / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    whole = touchstone("models", "calibrate", site, "--to", tmp_path / "models")
    for number in range(20):
        (site / f"{number}.png").unlink()
    few = touchstone("models", "calibrate", site, "--to", tmp_path / "others")
    none = touchstone("models", "calibrate", tmp_path / "nowhere", "--to", tmp_path / "others")

    assert whole.code == 1
    assert "torn.jpg" in whole.err
    assert few.code == 3
    assert "Give 50 or more" in few.err
    assert not list((tmp_path / "others").glob("*"))
    assert none.code == 2
    assert "is no folder" in none.err


def test_a_detector_whose_reals_nobody_described_is_refused(
    touchstone: Touchstone, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_folder: Path
) -> None:
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(models_folder))

    ran = touchstone("models", "calibrate", site, "--to", tmp_path / "models")

    assert ran.code == 3
    assert "does not say how its genuine pictures lay" in ran.err
