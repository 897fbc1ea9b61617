"""A model that is published while workers run: who ends with the old one, who begins with the new one."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from evidence.errors import ModelError
from evidence.video import write_video
from tests import tiny_detector
from tests.worker_service import Shop, wait_for
from worker.embedded import EmbeddedRunner
from worker.jobs.model import JobState
from worker.requests import ScanOptions
from worker.scanner import Scanner
from worker.scanners import Scanners
from worker.settings import Settings


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models of this test's own, with version 1 of the colour detector."""
    return tiny_detector.install(tmp_path / "published")


@pytest.fixture
def settings(shop: Shop, models: Path) -> Settings:
    return shop.settings.model_copy(update={"models": str(models)})


def version_of(shop: Shop, job: str) -> str:
    """Which version of the detector judged."""
    (model,) = shop.result(job)["report"]["models"]
    return str(model["version"])


def test_a_running_scan_ends_with_its_model_and_the_next_one_gets_the_new_without_one_failing(
    shop: Shop, settings: Settings, models: Path
) -> None:
    clip = shop.folder / "long.mp4"
    few = [tiny_detector.picture(64, 64, lean=6.0, seed=seed) for seed in range(8)]
    write_video(clip, (few[number % 8] for number in range(300)), 25.0)
    runner = EmbeddedRunner(settings, workers=1)
    runner.start()
    try:
        first = shop.scan(shop.picture())
        assert shop.ended(first).state is JobState.DONE
        running = shop.scan(clip, options={"every_seconds": 0.001, "max_frames": 300})
        wait_for(lambda: any(event.kind == "frame" for event in shop.store.events(running)))

        tiny_detector.install(models, version="2")
        later = [shop.scan(shop.picture()) for _ in range(5)]

        assert all(shop.ended(job).state is JobState.DONE for job in (running, *later))
    finally:
        runner.stop()
    assert [version_of(shop, job) for job in (first, running, *later)] == ["1", "1", *["2"] * 5]
    assert {shop.store.shards(job)[0].attempts for job in (first, running, *later)} == {1}


@pytest.fixture
def scanners(settings: Settings) -> Scanners:
    return Scanners(settings, lambda named, _: Scanner(named))


def test_the_same_model_keeps_its_scanner(scanners: Scanners) -> None:
    assert scanners.get(ScanOptions()) is scanners.get(ScanOptions())
    scanners.close()


@pytest.mark.parametrize("broken", ["file", "index"])
def test_a_new_model_that_is_broken_leaves_the_old_one_at_work_and_is_complained_of_once(
    scanners: Scanners, models: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    old = scanners.get(ScanOptions())
    tiny_detector.install(models, version="2")
    path = models / ("colour-2.onnx" if broken == "file" else "models.json")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])

    with caplog.at_level(logging.WARNING, "touchstone.worker"):
        assert scanners.get(ScanOptions()) is old
        assert scanners.get(ScanOptions()) is old
        (complaint,) = caplog.messages
        path.write_bytes(whole)
        new = scanners.get(ScanOptions())

    assert complaint.startswith("The new model cannot be used, colour@1 goes on: ")
    assert new.detector.version == "2"
    scanners.close()


def test_a_model_that_never_was_is_refused(scanners: Scanners) -> None:
    with pytest.raises(ModelError):
        scanners.get(ScanOptions(model="nobody"))
