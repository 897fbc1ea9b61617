"""The scanner as the API and the queue use it: kept open, abandoned half way, with and without faces."""

from __future__ import annotations

import json
import tarfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence.errors import ModelError, ModelNotFound
from evidence.verdict import Report
from exports.registry import ModelEntry, Registry
from tests import tiny_detector
from tests.command_line import write_picture
from worker.scanner import Scanner, calibration_of
from worker.settings import Settings


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_detector.install(tmp_path_factory.mktemp("models"))


@pytest.fixture
def settings(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(models=str(models), data_dir=tmp_path / "data", decoders=2, threads=1)


@pytest.fixture
def scanner(settings: Settings) -> Iterator[Scanner]:
    with Scanner(settings) as scanner:
        yield scanner


def test_one_scanner_serves_file_after_file(scanner: Scanner, tmp_path: Path) -> None:
    red, blue = write_picture(tmp_path / "red.png", 6), write_picture(tmp_path / "blue.png", -6)

    assert [scanner.scan(path).verdict for path in (red, blue, red)] == ["fake", "real", "fake"]
    assert scanner.scan(tmp_path / "missing.png").status == "unable"


def test_reports_are_not_kept_once_they_were_handed_out(scanner: Scanner, tmp_path: Path) -> None:
    paths = [str(write_picture(tmp_path / f"{n}.png", -6, side=64)) for n in range(120)]
    handed_out: list[weakref.ref[Report]] = []
    most_alive = 0

    for scanned in scanner.scan_all(paths):
        handed_out.append(weakref.ref(scanned.report))
        most_alive = max(most_alive, sum(report() is not None for report in handed_out))

    assert len(handed_out) == 120
    assert most_alive <= 2


def test_the_paths_are_read_as_they_are_needed(scanner: Scanner, tmp_path: Path) -> None:
    path, asked = str(write_picture(tmp_path / "a.png", -6, side=64)), []

    def endless() -> Iterator[str]:
        while True:
            asked.append(path)
            yield path

    scans = scanner.scan_all(endless())
    for _ in range(10):
        next(scans)
    scans.close()

    assert len(asked) < 200


def test_a_scan_that_is_abandoned_leaves_no_thread_and_the_scanner_usable(
    scanner: Scanner, tmp_path: Path
) -> None:
    paths = [str(write_picture(tmp_path / f"{n}.png", -6, side=64)) for n in range(20)]
    scans = scanner.scan_all(paths)
    next(scans)

    scans.close()

    for thread in threading.enumerate():
        if thread.name.startswith("decode"):
            thread.join(timeout=60)
            assert not thread.is_alive()
    assert scanner.scan(paths[0]).verdict == "real"


def test_a_device_that_is_not_there_is_replaced_and_said_so(settings: Settings, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", 6)

    with Scanner(settings.model_copy(update={"device": "tensorrt"})) as scanner:
        report = scanner.scan(path)

    assert report.verdict == "fake"
    if report.engine["provider"] == "cpu":
        assert any("tensorrt" in warning for warning in report.warnings)


def test_without_any_detector_there_is_no_scanner(settings: Settings) -> None:
    with pytest.raises(ModelNotFound):
        Scanner(settings.model_copy(update={"model": "absent"}))


def test_a_calibration_that_cannot_be_read_is_a_model_error(models: Path) -> None:
    entry = Registry([models]).get("colour")

    with pytest.raises(ModelError, match="calibration"):
        calibration_of(ModelEntry(**{**entry.__dict__, "calibration": {"warmth": 1}}))


@pytest.mark.data
def test_a_face_is_found_and_has_its_own_score(settings: Settings, shared_data: Path, tmp_path: Path) -> None:
    with tarfile.open(shared_data / "faces" / "faces-lfw-0000.tar") as tar:
        index = tar.extractfile("index.jsonl")
        assert index is not None
        row = json.loads(index.readline())
        picture = tar.extractfile(row["file"])
        assert picture is not None
        (tmp_path / "face.jpg").write_bytes(picture.read())
    model = shared_data / "weights" / "face_detection_yunet_2026may.onnx"

    with Scanner(settings.model_copy(update={"face_model": model})) as scanner:
        report = scanner.scan(tmp_path / "face.jpg")

    faces = [region for region in report.regions if region.kind == "face"]
    assert len(faces) >= 1
    centre = ((faces[0].box[0] + faces[0].box[2]) / 2, (faces[0].box[1] + faces[0].box[3]) / 2)
    x0, y0, x1, y1 = row["box"]
    assert x0 < centre[0] < x1
    assert y0 < centre[1] < y1
    assert 0 <= faces[0].fake_probability <= 1
