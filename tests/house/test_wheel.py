"""The wheel holds exactly the eight rooms, and what they need at run time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {"evidence", "generators", "detector", "exports", "provenance", "testsets", "worker", "touchstone"}


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The members of a wheel built from a copy of the tree, so that no build folder is left behind."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(tree)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_top_level_names_are_exactly_the_rooms(wheel_names: set[str]) -> None:
    top = {name.split("/")[0] for name in wheel_names}
    assert {name for name in top if not name.endswith(".dist-info")} == ROOMS


def test_every_module_of_the_tree_is_in_the_wheel(wheel_names: set[str]) -> None:
    modules = {str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert modules - wheel_names == set()


def test_the_shipped_models_and_what_reports_and_pages_are_made_of_are_in_the_wheel(
    wheel_names: set[str],
) -> None:
    rows = json.loads((ROOT / "exports/models/models.json").read_text(encoding="utf-8"))["models"]
    wanted = {f"exports/models/{row['file']}" for row in rows} | {"exports/models/models.json"}
    for folder, kinds in (("report", {".html", ".css"}), ("web", {".html", ".css", ".js", ".svg"})):
        parts = (ROOT / "touchstone" / folder).rglob("*")
        wanted |= {str(path.relative_to(ROOT)) for path in parts if path.suffix in kinds}
    assert wanted - wheel_names == set()
