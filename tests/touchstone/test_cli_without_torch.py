"""The shop floor: a scan runs where torch was never installed, and the workshop says what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "onnx", "onnxscript", "matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
from touchstone.cli.main import main
sys.argv[0] = "touchstone"
main()
"""


def without_torch(models: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TOUCHSTONE_MODELS": str(models)}
    command = [sys.executable, "-c", BLOCK, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_picture_and_a_video_get_their_verdicts(media: Path, models_folder: Path, tmp_path: Path) -> None:
    ran = without_torch(models_folder, "scan", media, "--json", "--html", tmp_path / "report.html")

    assert ran.returncode == 0, ran.stderr
    verdicts = [report["verdict"] for report in json.loads(ran.stdout)]
    assert verdicts == ["fake", "real", "fake", "uncertain"]


@pytest.mark.parametrize("arguments", [("train", "dcgan", "--dry-run"), ("export", "dcgan")])
def test_training_says_what_to_install(models_folder: Path, arguments: tuple[str, ...]) -> None:
    ran = without_torch(models_folder, *arguments)

    assert ran.returncode == 3
    assert "pip install 'touchstone[train]'" in ran.stderr
    assert "Traceback" not in ran.stderr
