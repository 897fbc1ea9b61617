"""What a reader of the README sees who scans a thousand files with two workers and kills one of them.

    python -m benchmarks.second_terminal

Starts `touchstone serve`, a Redis and two `touchstone worker`, submits a folder of a thousand pictures, ends
one worker with SIGKILL in the middle, and prints the commands with their output; 1 when a row is missing.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.media import small_jpegs

STUCK_SECONDS = 540.0


def main(arguments: list[str] | None = None) -> int:
    """Print the session; 1 when it did not come out as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--port", type=int, default=6379, help="a free port for Redis")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        small_jpegs(Path(folder) / "archive", given.files)
        return _session(Terminal(Path(folder), stack), given.files, given.port)


class Terminal:
    """Says each command before it runs it, and what it prints."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            "TOUCHSTONE_DATA_DIR": str(folder / "data"),
        }

    def export(self, name: str, value: str) -> None:
        """Set a variable for what comes."""
        print(f"$ export {name}={value}")
        self._environment[name] = value

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Run beside the others until all is over."""
        print(f"$ {command} &", flush=True)
        with (self._folder / "log").open("ab") as log:
            begun = subprocess.Popen(
                self._words(command), stdout=log, stderr=log, cwd=self._folder, env=self._environment
            )
        self._stack.callback(begun.wait, 60)
        self._stack.callback(begun.terminate)
        return begun

    def run(self, command: str, *, quiet: bool = False) -> str:
        """Run to its end; what it printed."""
        done = subprocess.run(
            self._words(command),
            stdout=subprocess.PIPE,
            text=True,
            cwd=self._folder,
            env=self._environment,
            check=True,
        )
        if not quiet:
            print(f"$ {command}\n{done.stdout}", end="", flush=True)
        return done.stdout.strip()

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table that was written."""
        with (self._folder / name).open(encoding="utf-8", newline="") as table:
            return list(csv.DictReader(table))

    def _words(self, command: str) -> list[str]:
        program, *words = command.split()
        return [sys.executable, "-m", "touchstone", *words] if program == "touchstone" else [program, *words]


def _session(terminal: Terminal, files: int, port: int) -> int:
    terminal.export("TOUCHSTONE_BROKER_URL", f"redis://127.0.0.1:{port}/0")
    terminal.start(f"redis-server --port {port}")
    terminal.start("touchstone serve --port 0")
    terminal.start("touchstone worker")
    victim = terminal.start("touchstone worker")
    batch = terminal.run("touchstone batch submit archive/")
    begun = time.monotonic()

    def wait_for(done: int) -> None:
        while _done(terminal.run(f"touchstone batch status {batch}", quiet=True)) < done:
            assert time.monotonic() - begun < STUCK_SECONDS, "it does not end"
            time.sleep(1.0)

    wait_for(files // 4)
    terminal.run(f"touchstone batch status {batch}")
    print(f"$ kill -9 {victim.pid}")
    victim.kill()
    wait_for(files)
    took = time.monotonic() - begun
    terminal.run(f"touchstone batch status {batch}")
    terminal.run(f"touchstone batch results {batch} --csv verdicts.csv")
    rows = terminal.rows("verdicts.csv")
    paths = Counter(row["path"] for row in rows)
    good = sum(row["status"] == "ok" for row in rows)
    print(f"{len(rows)} rows, {len(paths)} files, {good} with a verdict or `uncertain`, {took:.0f} s")
    return int((len(rows), len(paths), good) != (files, files, files))


def _done(status: str) -> int:
    """How many media are done, by the line that `status` prints."""
    return int(status.split(" of ")[0].split()[-1].replace(",", ""))


if __name__ == "__main__":
    sys.exit(main())
