"""What watermark, registry and log cost a scan: `python -m benchmarks.origins`, a part of `make bench`.

The same pictures are scanned by one process without any of the three, then with one more of them each time;
data lie in a folder of its own, SQLite with every commit on disk.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.media import small_jpegs
from provenance.watermark.keys import key_at
from touchstone.cli.known import remembering
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.scanner import Scanner
from worker.settings import load_settings

RUNS = 3
PARTS = ("none of the three", "and the watermark is looked for", "and the registry", "and the log")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, default=Path(".data/bench"))
    parser.add_argument("--pictures", type=int, default=50)
    asked = parser.parse_args(arguments)
    paths = [str(path) for path in small_jpegs(asked.media / "small", asked.pictures)]
    table = Table(title=f"{len(paths)} JPEGs of 256 x 256, median of {RUNS}", box=None)
    for name in ("a scan with", "ms a picture", "more", "share"):
        table.add_column(name, justify="left" if name == "a scan with" else "right")
    before = 0.0
    seconds = [_seconds(paths, count) for count in range(len(PARTS))]
    for name, one in zip(PARTS, seconds, strict=True):
        ms = 1000 * one / len(paths)
        more = ms - before if before else 0.0
        table.add_row(name, f"{ms:.2f}", f"{more:+.2f}", f"{more * len(paths) / 1000 / seconds[-1]:.0%}")
        before = ms
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(machine())
    return 0


def _seconds(paths: list[str], parts: int) -> float:
    """Median seconds of a scan of all pictures with so many of the parts, after a run to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), look_for_watermark=parts >= 1, registry=parts >= 2)
        if parts >= 1:
            key_at(settings.generated_key)
        with Scanner(settings, fingerprints=settings.registry) as scanner:
            runs = [_scan(scanner, paths, logged=parts >= 3) for _ in range(RUNS + 1)]
    return statistics.median(runs[1:])


def _scan(scanner: Scanner, paths: list[str], *, logged: bool) -> float:
    """The same once, into a database without entries."""
    with tempfile.TemporaryDirectory() as folder:
        settings = scanner.settings.model_copy(update={"data_dir": Path(folder)})
        store = JobStore(settings.store_url)
        logbook = Logbook(store.engine, settings)
        logbook.head()
        with remembering(settings) as memory:
            started = time.perf_counter()
            for scanned in scanner.scan_all(paths):
                report = memory.scanned(scanned).report
                if logged:
                    logbook.add(report, time.time())
            taken = time.perf_counter() - started
        store.close()
    return taken


if __name__ == "__main__":
    sys.exit(main())
