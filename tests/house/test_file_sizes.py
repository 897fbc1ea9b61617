"""Every file holds one idea: not too long, not empty, and saying what it is for."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("evidence", "generators", "detector", "exports", "provenance", "testsets", "worker", "touchstone")
SOURCES = sorted(
    path
    for folder in (*ROOMS, "benchmarks", "examples", "tests", "docs")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
CEILING = 350
# What one training loop and one GAN may take to read.
LOOP_CEILING, SYSTEM_CEILING = 400, 250
SYSTEMS = sorted(path for path in (ROOT / "generators" / "systems").glob("*.py") if path.stem != "__init__")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_stays_below_the_ceiling(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= CEILING, (
        f"{_name(path)} has {lines} lines, {CEILING} are allowed; split it along its 'and'"
    )


@pytest.mark.parametrize("path", SYSTEMS, ids=_name)
def test_a_system_states_only_what_is_peculiar_to_it(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= SYSTEM_CEILING


def test_the_one_loop_and_its_step_are_read_in_one_sitting() -> None:
    files = (ROOT / "generators" / "training" / name for name in ("loop.py", "step.py"))
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= LOOP_CEILING


def test_no_file_but_the_step_moves_the_weights_of_a_gan() -> None:
    found = [
        _name(path)
        for folder in ("systems", "networks", "losses", "data", "training")
        for path in sorted((ROOT / "generators" / folder).rglob("*.py"))
        if any(
            sign in path.read_text(encoding="utf-8")
            for sign in (".step()", ".backward(", "autograd.backward")
        )
    ]
    assert found == ["generators/training/step.py"]


@pytest.mark.parametrize("path", [path for path in SOURCES if "tests" not in path.parts], ids=_name)
def test_a_file_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{_name(path)} has no docstring"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "__init__.py"], ids=_name)
def test_no_module_is_empty(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    does_something = [node for node in body if not _is_preamble(node)]
    assert does_something, f"{_name(path)} holds nothing but its opening"


@pytest.mark.parametrize("room", ROOMS)
def test_every_folder_of_a_room_that_holds_modules_is_a_package(room: str) -> None:
    folders = {path.parent for path in SOURCES if (ROOT / room) in path.parents}
    assert folders, f"the room {room} is missing"
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_no_two_test_files_share_a_name() -> None:
    # pytest imports them by their bare names, so the second of two would not be run.
    names = Counter(path.name for path in SOURCES if path.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def _is_preamble(node: ast.stmt) -> bool:
    """Whether a statement is the docstring or `from __future__ import ...`."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
