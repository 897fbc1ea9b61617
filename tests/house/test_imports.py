"""The order of the rooms holds, and the scan path runs where torch is not installed."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
WORKSHOP = ("torch", "torchvision", "onnx", "onnx2torch", "onnxscript", "matplotlib")

BLOCKED_IMPORT = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {workshop!r}:
            raise ModuleNotFoundError(f"the scan path asked for {{name}}", name=name)

sys.meta_path.insert(0, Blocked())
for module in {modules!r}:
    importlib.import_module(module)
"""


def test_the_rooms_import_downhill_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True, no_logo=True) == 0


@pytest.mark.parametrize("room", ["evidence", "provenance", "worker", "touchstone"])
def test_every_module_of_a_serving_room_imports_without_torch(room: str) -> None:
    _import_without_torch(_modules_of(room))


def test_the_serving_half_of_the_mixed_rooms_imports_without_torch() -> None:
    _import_without_torch(
        [
            "detector.aggregate",
            "detector.thresholds",
            "detector.tiles",
            "detector.card",
            "detector.lint",
            "generators.delivery",
            "generators.expressions",
            "generators.settle",
            "generators.text.vocabulary",
            "exports.forging",
            "exports.registry",
            "exports.runtime",
            "exports.sampling",
            "exports.films",
            "testsets.attacking",
        ]
    )


def test_the_help_of_the_command_line_needs_no_torch() -> None:
    code = BLOCKED_IMPORT.format(workshop=WORKSHOP, modules=["touchstone.cli.main"])
    run = _python(
        f"{code}\nsys.argv = ['touchstone', 'scan', '--help']\nimport touchstone.cli.main as m\nm.main()"
    )
    assert run.returncode == 0, run.stderr
    assert "--html" in run.stdout


def _modules_of(room: str) -> list[str]:
    """Every module of a room by its dotted name, found by its files, so that none can hide."""
    found = pkgutil.walk_packages([str(ROOT / room)], prefix=f"{room}.")
    names = (info.name for info in found)
    return [room, *sorted(name for name in names if name != f"{room}.__main__")]


def _import_without_torch(modules: list[str]) -> None:
    run = _python(BLOCKED_IMPORT.format(workshop=WORKSHOP, modules=modules))
    assert run.returncode == 0, run.stderr


def _python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
