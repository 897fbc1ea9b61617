"""How often genuine media are called fake: `python -m benchmarks.false_alarms`.

Held-out photographs, faces and video frames, source by source, as published, after JPEG of quality 75
and after a resize to 0.75 of the sides; then the camera clips as videos, at two frames a second. Every
file goes through the scanner a person uses. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg, encode_like, read_history
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Pixels, Sampling
from evidence.video import read_frames
from generators.data.shards import data_root, load
from testsets.tally import wilson
from worker.scanner import Scanner

SETS = ("photos", "photos-lossless", "captions", "faces-lfw", "faces-celeba")
FRAME_SECONDS = 2.0
CLIP_SAMPLING = Sampling(every_seconds=0.5)
LIMITS = DecodeLimits()


@dataclass(frozen=True)
class Row:
    """Verdicts on one source under one condition; `above` counts scores at or above the threshold."""

    source: str
    condition: str
    n: int
    fake: int
    uncertain: int
    above: int

    @property
    def rate(self) -> float:
        """The false-alarm rate of the verdict `fake`."""
        return self.fake / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return wilson(self.fake, self.n)


def main(arguments: list[str] | None = None) -> int:
    """Scan every source under every condition, print the table, write the JSON; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=int, default=200, help="pictures of one source at most")
    parser.add_argument("--split", default="test", choices=("cal", "test"))
    parser.add_argument("--no-clips", action="store_true")
    parser.add_argument("--json", type=Path, default=Path("runs/bench/false_alarms.json"))
    chosen = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)  # a table in a file is not squeezed
    rows: list[Row] = []
    with Scanner(sampling=CLIP_SAMPLING) as scanner, tempfile.TemporaryDirectory() as scratch:
        for source, pictures in _sources(chosen.split, chosen.most).items():
            for condition, change in CONDITIONS.items():
                console.print(f"{source}, {condition}: {len(pictures)}", style="dim")
                rows.append(_row(source, condition, _written(pictures, change, Path(scratch)), scanner))
        clips = {} if chosen.no_clips else _clips(scanner)
    pooled = [_pooled(name, [row for row in rows if row.condition == name]) for name in CONDITIONS]
    rows += [*pooled, _pooled("all", rows)]
    console.print(_table(rows))
    fakes = [name for name, verdict in clips.items() if verdict == "fake"]
    if clips:
        said = f": {', '.join(fakes)}" if fakes else ""
        console.print(f"{len(clips) - len(fakes)} of {len(clips)} clips are not called fake{said}")
    result = {
        "machine": machine(),
        "split": chosen.split,
        "rows": [vars(row) | {"rate": row.rate, "interval": row.interval} for row in rows],
        "clips": clips,
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


def _published(data: bytes) -> tuple[bytes, str]:
    return data, ".jpg" if data[:2] == b"\xff\xd8" else ".png"


def _quality_75(data: bytes) -> tuple[bytes, str]:
    return encode_jpeg(decode_image(data, LIMITS)[1], 75), ".jpg"


def _resized(data: bytes) -> tuple[bytes, str]:
    """Three quarters of each side, stored as the picture was: with its JPEG tables, or lossless."""
    pixels = decode_image(data, LIMITS)[1]
    size = (round(pixels.shape[1] * 0.75), round(pixels.shape[0] * 0.75))
    smaller = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    history = read_history(data)
    return (encode_like(smaller, history), ".jpg") if history else (_png(smaller), ".png")


Change = Callable[[bytes], tuple[bytes, str]]
CONDITIONS: dict[str, Change] = {
    "as published": _published,
    "JPEG q75": _quality_75,
    "resize 0.75": _resized,
}


def _sources(split: str, most: int) -> dict[str, list[bytes]]:
    """At most `most` pictures of each source, spread evenly over it, and the frames of the clips."""
    found: dict[str, list[bytes]] = {}
    for name in SETS:
        for item in load(name, split):
            found.setdefault(item.source, []).append(item.data)
    found["video frames"] = list(_frames())
    return {source: pictures[:: math.ceil(len(pictures) / most)] for source, pictures in found.items()}


def _frames() -> Iterator[bytes]:
    for path in _clip_paths():
        for frame in read_frames(path, Sampling(every_seconds=FRAME_SECONDS), LIMITS, Coverage()):
            yield _png(frame.pixels)


def _written(pictures: Sequence[bytes], change: Change, folder: Path) -> Iterator[str]:
    """Each picture, changed, as a file; the scanner asks for them as it goes."""
    for index, data in enumerate(pictures):
        content, suffix = change(data)
        path = folder / f"{index:05d}{suffix}"
        path.write_bytes(content)
        yield str(path)


def _row(source: str, condition: str, paths: Iterator[str], scanner: Scanner) -> Row:
    reports = [scanned.report for scanned in scanner.scan_all(paths)]
    failed = [report for report in reports if report.status != "ok"]
    if failed:
        raise SystemExit(f"{source}, {condition}: {failed[0].reason}")
    verdicts = [report.verdict for report in reports]
    above = sum(
        report.threshold is not None and (report.fake_probability or 0.0) >= report.threshold.value
        for report in reports
    )
    return Row(
        source, condition, len(reports), verdicts.count("fake"), verdicts.count("uncertain"), int(above)
    )


def _pooled(condition: str, rows: Sequence[Row]) -> Row:
    counts = (sum(getattr(row, name) for row in rows) for name in ("n", "fake", "uncertain", "above"))
    return Row("pooled", condition, *counts)


def _clips(scanner: Scanner) -> dict[str, str]:
    """The verdict on each clip."""
    paths = [str(path) for path in _clip_paths()]
    return {
        Path(path).name: str(scanned.report.verdict or scanned.report.status)
        for path, scanned in zip(paths, scanner.scan_all(paths), strict=True)
    }


def _clip_paths() -> list[Path]:
    return sorted((data_root() / "videos").glob("*.mp4"))


def _png(pixels: Pixels) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1])


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, header_style="dim")
    for name in ("source", "condition"):
        table.add_column(name)
    for name in ("n", "fake", "uncertain", "above threshold", "false alarms", "95 % interval"):
        table.add_column(name, justify="right")
    for row in rows:
        low, high = row.interval
        cells = (row.n, row.fake, row.uncertain, row.above)
        share = (f"{100 * row.rate:.1f} %", f"{100 * low:.1f} to {100 * high:.1f} %")
        table.add_row(row.source, row.condition, *map(str, cells), *share)
    return table


if __name__ == "__main__":
    sys.exit(main())
