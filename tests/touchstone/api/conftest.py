"""An API that runs, away from everybody's own settings, and a report that the colour detector wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from evidence.verdict import Report
from tests import tiny_detector
from tests.api_service import Api, running
from tests.command_line import write_picture
from worker.scanner import Scanner
from worker.settings import Settings, load_settings

MakeSettings = Callable[..., Settings]
StartApi = Callable[..., Api]


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_detector.install(tmp_path_factory.mktemp("models"))


@pytest.fixture
def make_settings(models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings of a service whose data lie in this test's folder."""
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def make(**fields: object) -> Settings:
        given: dict[str, object] = {
            "models": str(models_folder), "data_dir": tmp_path / "data", "decoders": 1, "threads": 1,
            "free_bytes": 0, "requests_per_minute": 0,
        }  # fmt: skip
        return load_settings(**(given | fields))

    return make


@pytest.fixture(scope="session")
def report(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the colour detector says of a red picture."""
    folder = tmp_path_factory.mktemp("report")
    settings = load_settings(models=str(models_folder), decoders=1, threads=1, data_dir=folder)
    with Scanner(settings) as scanner:
        return scanner.scan(write_picture(folder / "red.png", 6))


@pytest.fixture
def start(make_settings: MakeSettings, report: Report) -> Iterator[StartApi]:
    """`start(max_bytes=9)`: an API with these settings."""
    with ExitStack() as stack:
        yield lambda **fields: stack.enter_context(running(make_settings(**fields), report))


@pytest.fixture
def api(start: StartApi) -> Api:
    """An API with the settings of `make_settings`."""
    return start()
