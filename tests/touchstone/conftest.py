"""The command line in this process, with the colour detector of tiny_detector.py, and media it knows."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from evidence.video import write_video
from tests import tiny_detector, tiny_generators
from tests.command_line import Ran, Touchstone, write_picture
from tests.tiny_detector import picture
from touchstone.cli.guard import guarded
from touchstone.cli.main import app


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose default detector is the calibrated colour detector."""
    return tiny_detector.install(tmp_path_factory.mktemp("models"))


@pytest.fixture
def touchstone(
    models_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Touchstone:
    """`touchstone("scan", path, ...)` runs the command line away from everybody's own settings."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in [name for name in os.environ if name.startswith("TOUCHSTONE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(models_folder))
    monkeypatch.setenv("TOUCHSTONE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TOUCHSTONE_DECODERS", "1")
    monkeypatch.setenv("TOUCHSTONE_THREADS", "1")
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = guarded(lambda: app([str(a) for a in arguments]))
        printed = capsys.readouterr()
        assert list(scratch.iterdir()) == [], "temporary files were left behind"
        assert "Traceback" not in printed.err
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fake, a real and an uncertain still, and a clip that turns fake for two seconds."""
    folder = tmp_path_factory.mktemp("media")
    for name, lean in (("a-fake.png", 6), ("b-real.jpg", -6), ("d-unclear.png", 0)):
        write_picture(folder / name, lean)
    leans = [-6.0] * 20 + [6.0] * 20 + [-6.0] * 20
    write_video(folder / "c-clip.mp4", [picture(64, 96, lean=x, seed=i) for i, x in enumerate(leans)], 10.0)
    return folder


@pytest.fixture
def workshop(touchstone: Touchstone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Touchstone:
    """The command line with the tiny generators."""
    folder = tmp_path / "models"
    folder.mkdir()
    tiny_generators.install(folder)
    monkeypatch.setenv("TOUCHSTONE_MODELS", str(folder))
    return touchstone


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """A mid-grey PNG of 96 x 80 with some noise."""
    pixels = np.random.default_rng(0).integers(100, 140, (80, 96, 3), np.uint8)
    path = tmp_path / "portrait.png"
    assert cv2.imwrite(str(path), pixels)
    return path
