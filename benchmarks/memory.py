"""Memory of a folder scan: `python -m benchmarks.memory --files 10000`.

The folder is hard links to a few dozen pictures, so it costs no disk. While `touchstone scan` runs, the
memory of the process and its children is read once a second; what children share counts once. The
slope is that of a straight line through the readings after the first quarter: flat means about nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.media import small_jpegs

DISTINCT = 64
MB = 1e6


def main(arguments: list[str] | None = None) -> int:
    """Scan, watch, print; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--html", action="store_true", help="write the HTML report as well")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/memory.json"))
    chosen = parser.parse_args(arguments)
    Path(".data").mkdir(exist_ok=True)
    pictures = small_jpegs(Path(".data/bench/small"), DISTINCT)
    with tempfile.TemporaryDirectory(dir=".data") as scratch:
        folder = Path(scratch) / "archive"
        folder.mkdir()
        for index in range(chosen.files):
            os.link(pictures[index % DISTINCT], folder / f"{index:06d}.jpg")
        command = ["touchstone", "scan", str(folder), "--csv", f"{scratch}/scan.csv"]
        command += ["--html", f"{scratch}/scan.html"] if chosen.html else []
        code, readings = watch([sys.executable, "-m", *command])
    if code != 0:
        return code
    seconds, used = (np.array(column) for column in zip(*readings, strict=True))
    settled = seconds >= seconds[-1] / 4
    slope = float(np.polyfit(seconds[settled], used[settled], 1)[0]) if settled.sum() > 1 else 0.0
    result = {
        "files": chosen.files,
        "seconds": round(float(seconds[-1]), 1),
        "peak_mb": round(float(used.max()) / MB, 1),
        "median_mb": round(float(np.median(used)) / MB, 1),
        "slope_mb_per_1000_files": round(slope * seconds[-1] / chosen.files * 1000 / MB, 3),
    }
    print("\n".join(f"{name:<24} {value}" for name, value in result.items()))
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n", encoding="utf-8")
    return 0


def watch(command: list[str]) -> tuple[int, list[tuple[float, int]]]:
    """Run a command to its end; its exit code, and (seconds, bytes) once a second."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    readings = []
    while process.poll() is None:
        readings.append((time.perf_counter() - started, _memory(process.pid)))
        try:
            process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            continue
    return process.returncode, readings


def _memory(pid: int) -> int:
    """Proportional set size of a process and its descendants, in bytes; those that ended count nothing."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text("ascii").split()]
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return 1024 * own + sum(_memory(int(child)) for child in children)


if __name__ == "__main__":
    sys.exit(main())
