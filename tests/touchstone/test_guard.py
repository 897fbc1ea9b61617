"""Whatever happens inside a command, a person gets one line and a program an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evidence.errors import ModelNotFound, OutputError, UsageError
from touchstone.cli.guard import Interrupted, guarded

ROOT = Path(__file__).parents[2]


def raising(error: BaseException) -> object:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("Wrong.", "Do this."), 2, "touchstone: usage: Wrong. Do this."),
        (ModelNotFound("None.", "Get one."), 3, "touchstone: model_not_found: None. Get one."),
        (OutputError("Full."), 3, "touchstone: output: Full."),
        (KeyboardInterrupt(), 130, "touchstone: Interrupted."),
        (Interrupted("Go on."), 130, "touchstone: Interrupted. Go on."),
        (MemoryError(), 3, "touchstone: memory: "),
        (SystemExit(2), 2, ""),
        (BrokenPipeError(), 3, ""),
    ],
)
def test_each_error_has_its_code_and_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error)) == code

    printed = capsys.readouterr().err
    assert printed.startswith(said)
    assert printed.count("\n") == (1 if said else 0)


def test_what_nobody_foresaw_is_a_line_to_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(ZeroDivisionError("by\nzero"))) == 3

    printed = capsys.readouterr().err
    assert printed.startswith("touchstone: internal: ZeroDivisionError in test_guard.py:")
    assert "by zero" in printed
    assert "CONTRIBUTING.md" in printed
    assert printed.count("\n") == 1


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m touchstone --help | head -c 1"

    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stderr == ""


def test_the_help_of_the_front_door_loads_no_engine() -> None:
    code = (
        "import sys, touchstone.cli.main; "
        "print(sorted({'onnxruntime', 'cv2', 'av', 'torch', 'numpy', 'jinja2'} & set(sys.modules)))"
    )

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
