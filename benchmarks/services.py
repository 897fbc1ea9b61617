"""A service of its own for a measurement: `touchstone serve` with its data in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[str]:
    """The address of a service without limits on requests, until the block is left."""
    with serving_process(folder, *arguments) as (url, _):
        yield url


@contextmanager
def serving_process(
    folder: Path, *arguments: str, wrapper: Sequence[str] = (), **more: str
) -> Iterator[tuple[str, int]]:
    """The same with the number of its process, run by `wrapper`, with `more` in its environment."""
    settings = {
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "TOUCHSTONE_DATA_DIR": str(folder / "data"),
        "TOUCHSTONE_REQUESTS_PER_MINUTE": "0",
    }
    command = [*wrapper, sys.executable, "-m", "touchstone", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=folder, env={**os.environ, **settings, **more}
    ) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().split()[-1], running.pid
        finally:
            running.terminate()
