"""ONNX Runtime alone: `python -m benchmarks.runtime_bare`. Tiles a second of a detector, nothing around it.

One table row for each batch size, with the median and the best of several rounds. Wall-clock figures
need an idle machine; tiles for each second of processor time hold on a busy one too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from exports.registry import registry
from exports.runtime import Detector, open_detector

ROUNDS = 5


@dataclass(frozen=True)
class Rate:
    """Tiles a second at one batch size, by the wall clock and for each second of processor time."""

    batch: int
    median: float
    best: float
    per_processor_second: float


def main(arguments: list[str] | None = None) -> int:
    """Measure every batch size, print the rows, write the JSON; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name or path; the default detector when absent")
    parser.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda", "tensorrt"))
    parser.add_argument("--threads", type=int, help="the processors of this process when absent")
    parser.add_argument("--side", type=int, default=256, help="of a tile, in pixels")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--seconds", type=float, default=1.0, help="of one round")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/runtime.json"))
    chosen = parser.parse_args(arguments)
    models = registry()
    entry = models.get(chosen.model) if chosen.model else models.default("detector")
    session = open_detector(entry, chosen.device, chosen.threads)
    rates = [measure(session, batch, chosen.side, chosen.seconds) for batch in chosen.batches]
    print(f"{entry.label} on {session.provider}, {chosen.side} x {chosen.side} tiles")
    print("batch  tiles/s (median)  tiles/s (best)  tiles for a processor second")
    for rate in rates:
        print(
            f"{rate.batch:>5}  {rate.median:>16.1f}  {rate.best:>14.1f}  {rate.per_processor_second:>28.1f}"
        )
    result = {"model": entry.label, "sha256": entry.sha256, "provider": session.provider, "side": chosen.side}
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(rate) for rate in rates]
    text = json.dumps({"machine": machine(), **result, "results": rows}, indent=2)
    chosen.json.write_text(text + "\n", encoding="utf-8")
    return 0


def measure(session: Detector, batch: int, side: int, seconds: float) -> Rate:
    """The rate at one batch size: `ROUNDS` rounds of about `seconds` each, after one call to warm up."""
    tiles = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
    session.run(tiles)
    rounds = [_round(session, tiles, seconds) for _ in range(ROUNDS)]
    wall, processor = ([row[index] for row in rounds] for index in (0, 1))
    return Rate(batch, statistics.median(wall), max(wall), max(processor))


def _round(session: Detector, tiles: np.ndarray, seconds: float) -> tuple[float, float]:
    started, spent, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < seconds:
        session.run(tiles)
        done += len(tiles)
    return done / (time.perf_counter() - started), done / (time.process_time() - spent)


if __name__ == "__main__":
    sys.exit(main())
