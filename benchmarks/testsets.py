"""What a test set costs, and whether it can be made again: `python -m benchmarks.testsets --twins 1000`.

Twins at 128 px with chains, by the systems of the ready recipe quick-look, of pictures made by code; then
the linter, then so many items made anew from their rows. Figures by the wall clock need an idle machine;
those in processor seconds hold on a busy one too. The goal: 10 000 twins in 15 minutes of two cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.media import photo_like
from evidence.jpeg import encode_jpeg
from exports.registry import registry
from testsets.bench import Bench
from testsets.build import examine, forge, planned
from testsets.document import Document
from testsets.recipe import parse
from testsets.sources import Shelf
from testsets.verify import bench_of, check, chosen, rebuild, rows_of

PHOTOS, SIDE = 200, 192
RECIPE = """\
repeats = 1000000
[[sources]]
folder = "REALS"
crop = 128
[[systems]]
name = ["reconstruction-transposed-k4s2-x2", "reconstruction-haar-x4", "reconstruction-nearest-x8"]
weight = 2
partial = 0.25
[[systems]]
name = ["inpainting-photos", "outpainting-photos", "splice"]
area = [0.03, 0.15]
[[chains]]
steps = "messenger"
[[chains]]
steps = "jpeg:quality=60..95 | resize:factor=0.6..0.9,kernel=area | noise:sigma=1..4 | jpeg:quality=75"
[[chains]]
treatment = "screenshot"
[[chains]]
treatment = "grain"
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write the JSON; 1 where an item made anew is another one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--twins", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rebuild", type=int, default=200)
    parser.add_argument("--json", type=Path, default=Path("runs/bench/testsets.json"))
    asked = parser.parse_args(arguments)
    found: dict[str, Any] = {"twins": asked.twins, "workers": asked.workers}
    with tempfile.TemporaryDirectory() as place:
        part = _built(Path(place), asked.twins, asked.workers, found)
        with _timed(found, "lint"):
            report = examine(part)
        found["verdict"] = "too few to tell" if report is None else report.verdict
        rows = rows_of(part)
        found["faults"] = len(list(check(part, rows)))
        again = chosen(rows, count=asked.rebuild, seed=1)
        with _timed(found, "rebuild"):
            bench = bench_of(part, registry())
            found["rebuilt"] = len(again)
            found["identical"] = sum(rebuild(bench, row) == "" for row in again)
    for name, value in found.items():
        print(f"{name:<30} {value:.1f}" if isinstance(value, float) else f"{name:<30} {value}")
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps({"machine": machine(), **found}, indent=2) + "\n", encoding="utf-8")
    return int(found["identical"] < found["rebuilt"] or found["faults"] > 0)


def _built(place: Path, twins: int, workers: int, found: dict[str, Any]) -> Path:
    reals = place / "reals"
    reals.mkdir()
    for number in range(min(PHOTOS, twins)):
        (reals / f"{number:04d}.jpg").write_bytes(encode_jpeg(photo_like(SIDE, SIDE, number), 90))
    recipe = parse(Document("benchmark.toml", RECIPE.replace("REALS", str(reals)))).of(count=twins)
    models = registry()
    with _timed(found, "forging"):
        part = forge(
            planned(recipe, models),
            Bench(Shelf(recipe.sources), models),
            place / "set",
            workers=workers,
            on_row=lambda row, made: None,
            on_failed=_fail,
        )
    found["processor_seconds_a_thousand"] = found["forging_processor_seconds"] * 1000 / twins
    return part


@contextmanager
def _timed(found: dict[str, Any], name: str) -> Iterator[None]:
    """Seconds by the wall clock and of all processors, under a name."""
    wall, processor = time.monotonic(), _processor()
    yield
    found[f"{name}_seconds"] = time.monotonic() - wall
    found[f"{name}_processor_seconds"] = _processor() - processor


def _processor() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _fail(name: str, error: Exception) -> None:
    raise SystemExit(f"{name} could not be used: {error}")


if __name__ == "__main__":
    sys.exit(main())
