"""A service without its front door: settings, a job store, a media store, and files to hand in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny_detector, tiny_generators
from tests.command_line import write_picture
from tests.conftest import ROOT
from tests.web_site import Site, serving
from tests.worker_service import Shop, StartWorker, wait_for
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.settings import load_settings

COMMANDS = {
    "touchstone": [sys.executable, "-m", "touchstone", "worker"],
    "live": [sys.executable, "-m", "touchstone", "worker", "--lane", "live"],
    "flower": [sys.executable, "-m", "celery", "-A", "worker.app", "flower", "--address=127.0.0.1"],
    "celery": [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--loglevel", "info"],
}


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour detector and the generators made by code."""
    folder = tiny_detector.install(tmp_path_factory.mktemp("models"))
    tiny_generators.install(folder)
    return folder


@pytest.fixture
def shop(models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A store and a media folder of this test's own, with leases of six seconds."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    settings = load_settings(
        models=str(models_folder),
        data_dir=tmp_path / "data",
        decoders=1,
        threads=1,
        lease_seconds=6.0,
    )
    store = JobStore(settings.store_url)
    yield Shop(settings, store, MediaStore(settings.media_folder, max_bytes=settings.max_bytes), tmp_path)
    store.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis of this test's own, on a socket in its folder."""
    server = shutil.which("redis-server")
    assert server, "Redis is not installed: apt-get install redis-server"
    socket = tmp_path / "redis.sock"
    running = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    wait_for(socket.exists)
    yield f"redis+socket://{socket}"
    running.terminate()
    running.wait(20)


@pytest.fixture
def start_worker(shop: Shop, broker: str, tmp_path: Path) -> Iterator[StartWorker]:
    """`start_worker("celery")`: a worker process on the shop's stores, which says what it does in worker.log.

    All are killed in the end.
    """
    begun: list[subprocess.Popen[bytes]] = []
    settings = shop.settings
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TOUCHSTONE_BROKER_URL": broker,
        "TOUCHSTONE_MODELS": settings.models,
        "TOUCHSTONE_DATA_DIR": str(settings.data_dir),
        "TOUCHSTONE_LEASE_SECONDS": str(settings.lease_seconds),
        "TOUCHSTONE_DECODERS": "1",
        "TOUCHSTONE_THREADS": "1",
    }

    def start(way: str = "touchstone", **more: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("ab") as log:
            begun.append(
                subprocess.Popen(COMMANDS[way], env=environment | more, stdout=log, stderr=log, cwd=tmp_path)
            )
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait(20)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A web server with a red picture."""
    with serving(Site(write_picture(tmp_path / "red.png", 6, side=64).read_bytes())) as server:
        yield server
