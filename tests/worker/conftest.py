"""A service without its front door: settings, a job store, a media store, and files to hand in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny_detector, tiny_generators
from tests.worker_service import Shop
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.settings import load_settings


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour detector and the generators made by code."""
    folder = tiny_detector.install(tmp_path_factory.mktemp("models"))
    tiny_generators.install(folder)
    return folder


@pytest.fixture
def shop(models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A store and a media folder of this test's own, with leases of three seconds."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        models=str(models_folder),
        data_dir=tmp_path / "data",
        decoders=1,
        threads=1,
        lease_seconds=3.0,
    )
    store = JobStore(settings.store_url)
    yield Shop(settings, store, MediaStore(settings.media_folder, max_bytes=settings.max_bytes), tmp_path)
    store.close()
