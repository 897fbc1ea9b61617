"""`make bench`: the scan end to end and stage by stage, beside the bare limit, in one run.

For each workload: decoding alone (the same children, nothing behind them), cutting tiles alone, ONNX
Runtime alone on the very batches that the scan gave it, aggregation alone, and the scan end to end.
The bare limit is the slowest stage alone; the last column is what the scan takes over it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.media import large_jpeg, long_clip, small_jpegs
from detector.aggregate import image_logit, spread, stitch
from detector.scores import Detect, Scores
from detector.tiles import Tile, choose, cut, plan
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from worker.scanner import Scanner
from worker.settings import Settings, load_settings

MEDIA = Path(".data/bench")
RUNS = 3


@dataclass(frozen=True)
class Workload:
    """What is scanned, how its frames are sampled, and the seconds it may take end to end."""

    name: str
    paths: list[str]
    target_seconds: float
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True)
class Measured:
    """Seconds of one workload, each the median of `RUNS`; `tiles` counts what the detector scored."""

    name: str
    media: int
    frames: int
    tiles: int
    target: float
    end_to_end: float
    decode: float
    tile: float
    infer: float
    aggregate: float

    @property
    def over_bare(self) -> float:
        """End to end over the slowest stage alone."""
        return self.end_to_end / max(self.decode, self.tile, self.infer, self.aggregate)


class _Listening:
    """The scan's own detector, keeping the batches it is given."""

    def __init__(self, run: Detect) -> None:
        self._run = run
        self.batches: list[Pixels] = []

    def run(self, tiles: Pixels) -> Scores:
        self.batches.append(tiles)
        return self._run(tiles)


def main(arguments: list[str] | None = None) -> int:
    """Measure every workload, print the table, write the JSON; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=MEDIA, help="where the media are made and kept")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/scan.json"))
    parser.add_argument("--only", nargs="*", choices=list(WORKLOADS), default=list(WORKLOADS))
    chosen = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)  # a table in a file is not squeezed
    settings = load_settings()
    results = []
    for name in chosen.only:
        console.print(f"{name} ...", style="dim")
        results.append(measure(WORKLOADS[name](chosen.media), settings))
    where = machine()
    console.print(_table(results))
    console.print(", ".join(f"{name} {value}" for name, value in where.items()), style="dim", soft_wrap=True)
    rows = [asdict(result) | {"over_bare": round(result.over_bare, 3)} for result in results]
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps({"machine": where, "results": rows}, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(workload: Workload, settings: Settings) -> Measured:
    """The seconds of one workload; every stage runs `RUNS` times after one run to warm up."""
    with Scanner(settings, sampling=workload.sampling) as scanner:
        session = scanner._session
        listening = _Listening(session.run)
        scanner._session = listening  # type: ignore[assignment]  # the first run tells what it scores
        for scanned in scanner.scan_all(workload.paths):
            if scanned.report.status != "ok":
                raise SystemExit(f"{scanned.report.media['path']}: {scanned.report.reason}")
        scanner._session = session
        end_to_end = _median(lambda: _exhaust(scanner.scan_all(workload.paths)))
        infer = _median(lambda: [session.run(tiles) for tiles in listening.batches])
    with _decoding(workload, settings) as decode:
        seconds = _median(lambda: _exhaust(decode(False)))
        frames = [pixels for medium in decode(True) for pixels in medium]
    most = settings.tiles_per_frame if workload.paths[0].endswith(".mp4") else settings.tiles_per_image
    looked = [_tiles(pixels, most) for pixels in frames]
    shapes = [pixels.shape[:2] for pixels in frames]
    answers = [_random_scores(tiles) for tiles, _ in looked]
    return Measured(
        name=workload.name,
        media=len(workload.paths),
        frames=len(frames),
        tiles=sum(len(tiles) for tiles in listening.batches),
        target=workload.target_seconds,
        end_to_end=end_to_end,
        decode=seconds,
        tile=_median(lambda: [_tiles(pixels, most) for pixels in frames]),
        infer=infer,
        aggregate=_median(lambda: _aggregate(answers, [tiles for tiles, _ in looked], shapes)),
    )


def _small(folder: Path) -> Workload:
    paths = [str(path) for path in small_jpegs(folder / "small")]
    return Workload("small", paths, len(paths) / 100)


def _large(folder: Path) -> Workload:
    return Workload("large", [str(large_jpeg(folder))], 0.6)


def _keyframes(folder: Path) -> Workload:
    return Workload("keyframes", [str(long_clip(folder))], 1.5, Sampling(mode="keyframes"))


def _seconds(folder: Path) -> Workload:
    return Workload("seconds", [str(long_clip(folder))], 8.0, Sampling(every_seconds=1.0))


WORKLOADS = {"small": _small, "large": _large, "keyframes": _keyframes, "seconds": _seconds}


@contextmanager
def _decoding(workload: Workload, settings: Settings) -> Iterator[Callable[[bool], Iterator[list[Pixels]]]]:
    """Decoding as the scan does it, by as many threads and children, and nothing else.

    The frames of each medium are kept if asked for; to measure, they are dropped.
    """
    with (
        DecoderPool(settings.limits, workers=settings.decoders) as pool,
        ThreadPoolExecutor(settings.decoders) as threads,
    ):

        def decode(keep: bool) -> Iterator[list[Pixels]]:
            def frames_of(path: str) -> list[Pixels]:
                frames = pool.open(path, workload.sampling).frames()
                return [frame.pixels.copy() for frame in frames if keep]

            return threads.map(frames_of, workload.paths)

        yield decode


def _tiles(pixels: Pixels, most: int) -> tuple[list[Tile], Pixels]:
    tiles = choose(pixels, plan(*pixels.shape[:2]), most)
    return tiles, cut(pixels, tiles)


def _random_scores(tiles: list[Tile]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (len(tiles), tiles[0].height // 8, tiles[0].width // 8)
    return rng.normal(size=len(tiles)).astype(np.float32), rng.normal(size=shape).astype(np.float32)


def _aggregate(
    answers: list[tuple[np.ndarray, np.ndarray]], tiles: list[list[Tile]], shapes: list[tuple[int, ...]]
) -> None:
    for (logits, maps), places, (height, width) in zip(answers, tiles, shapes, strict=True):
        image_logit(logits, maps)
        spread(maps)
        stitch(maps, places, height, width)


def _exhaust(items: Iterator[object]) -> None:
    for _ in items:
        pass


def _median(run: Callable[[], object]) -> float:
    """Median seconds of `RUNS` calls, after one to warm up."""
    run()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _table(results: list[Measured]) -> Table:
    title = "seconds, median of three; infer: ONNX Runtime alone; over bare: scan over its slowest stage"
    table = Table(title=title, title_style="dim", box=None, header_style="dim")
    table.add_column("workload")
    for name in ("tiles", "scan", "goal", "decode", "tile", "infer", "aggregate", "over bare"):
        table.add_column(name, justify="right")
    for one in results:
        stages = (one.end_to_end, one.target, one.decode, one.tile, one.infer, one.aggregate)
        table.add_row(one.name, str(one.tiles), *(f"{value:.3f}" for value in stages), f"{one.over_bare:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
