"""Pictures a second of every installed generator through ONNX: `python -m benchmarks.generators`.

Drawn from latents and conditions at the size of the generator, or made from a picture of `--side` pixels
where the size is free, in batches as `touchstone generate` runs them. Figures by the wall clock need an idle
machine; those for a second of processor time hold on a busy one too: two cores make at most twice as many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from exports.registry import registry
from exports.runtime import GeneratorSession
from exports.sampling import drawn_inputs
from exports.slots import Array, Slot, slots_of

MOST = 64  # pictures of one call


@dataclass(frozen=True)
class Rate:
    """Pictures a second of one generator, by the wall clock and for each second of processor time."""

    model: str
    height: int
    width: int
    batch: int
    per_second: float
    per_processor_second: float


def main(arguments: list[str] | None = None) -> int:
    """Measure every generator, print the rows, write the JSON; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="*", help="names; every installed generator when absent")
    parser.add_argument("--threads", type=int, help="the processors of this process when absent")
    parser.add_argument("--side", type=int, default=64, help="of the picture for those of any size")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/generators.json"))
    chosen = parser.parse_args(arguments)
    rates = []
    print("model                               size       batch  pictures/s  for a processor second")
    for entry in registry().of_kind("generator"):
        if chosen.models and entry.name not in chosen.models:
            continue
        rate = measure(GeneratorSession(entry, "cpu", chosen.threads), chosen.side, chosen.seconds)
        size = f"{rate.width} x {rate.height}"
        print(
            f"{rate.model:<35} {size:<10} {rate.batch:>5}  {rate.per_second:>10.1f}  "
            f"{rate.per_processor_second:>22.1f}"
        )
        rates.append(rate)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "rates": [asdict(rate) for rate in rates]}
    chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(session: GeneratorSession, side: int, seconds: float) -> Rate:
    """The rate of one generator over at least `seconds` of wall-clock time, after one call to warm up."""
    slots = slots_of(session)
    one = {slot.name: _filling(slot, side) for slot in slots.values()} | drawn_inputs(slots, 0, 0)
    shape = session.run(**{name: value[None] for name, value in one.items()}).shape
    batch = min(MOST, session.batch_of(*shape[2:]))
    feeds = {name: np.repeat(value[None], batch, axis=0) for name, value in one.items()}
    session.run(**feeds)
    done, wall, processor = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        session.run(**feeds)
        done += batch
    spent, worked = time.perf_counter() - wall, time.process_time() - processor
    return Rate(session.entry.label, shape[2], shape[3], batch, done / spent, done / worked)


def _filling(slot: Slot, side: int) -> Array:
    """Something of the right shape: a grey picture, the middle of a range, the first word."""
    shape = tuple(side if isinstance(length, str) else length for length in slot.shape)
    middle = (slot.low + slot.high) / 2 if slot.role in ("units", "yaw", "truncation", "mask") else 0
    return np.full(shape, middle, slot.dtype)


if __name__ == "__main__":
    sys.exit(main())
