"""How fast and how sure the perceptual registry is: `python -m benchmarks.registry --photos FOLDER`.

Fills a SQLite store with hashes, asks it for near ones and checks each answer against looking at every hash;
then cuts, turns and re-encodes photographs, and asks if they are traced; then compares different photographs
with each other. FOLDER holds tar archives of photographs; without it only the speed is measured.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from evidence.medium import Pixels
from provenance.pdq import RADIUS, Hashes
from provenance.perceptual import Fingerprint, Mark, fingerprint
from provenance.registry import Entry, Registry
from provenance.seen_index import SeenIndex
from worker.jobs.engine import reading
from worker.jobs.store import JobStore
from worker.remembering import open_registry

MARKS = 1_000  # hashes of one entry, while filling
CHECKED = 100  # questions whose answer is compared with looking at every hash
TENANT = "local"

Change = Callable[[Pixels, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Pairs:
    """Different pictures compared: how many pairs of hashes, how many within the radius, and the nearest."""

    what: str
    compared: int
    close: int
    nearest: int

    @property
    def most(self) -> float:
        """The upper end of a 95 % interval of the rate; of no match among n that is 3 / n."""
        return (self.close + (3.0 if self.close == 0 else 2.0 * self.close**0.5 + 2.0)) / self.compared


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--most", type=int, default=1_000_000, help="photographs that are read")
    asked = parser.parse_args(arguments)
    console = Console()
    console.print(machine())
    if asked.entries:
        with tempfile.TemporaryDirectory() as folder:
            console.print(_speed(Path(folder), asked.entries, asked.queries))
    if asked.photos is not None:
        photos = list(_photographs(asked.photos, asked.most))
        prints = [fingerprint(photo) for photo in photos]
        console.print(_recall(photos, prints))
        console.print(_false_matches(prints))
    return 0


def _speed(folder: Path, entries: int, queries: int) -> Table:
    """Filling, reading and asking, with what is found held against looking at every hash."""
    rng = np.random.default_rng(0)
    known = rng.integers(0, 256, (entries, 32), dtype=np.uint8)
    store = JobStore(f"sqlite:///{folder / 'jobs.db'}")
    registry = open_registry(store.engine)
    filling = _seconds(lambda: _fill(registry, known))
    index = SeenIndex()
    with reading(store.engine) as connection:
        loading = _seconds(lambda: index.read_on(connection))
    spent, missed, wrong = [], 0, 0
    for number in range(queries):
        asked, source = _flipped(known, rng)
        one = Fingerprint((Mark(asked.tobytes()),))
        started = time.perf_counter()
        (hits,) = index.near([one], (TENANT,))
        spent.append(time.perf_counter() - started)
        missed += source + 1 not in {hit.row for hit in hits}
        if number < CHECKED:
            close = np.flatnonzero(np.bitwise_count(known ^ asked).sum(1) <= RADIUS) + 1
            wrong += {hit.row for hit in hits} != set(close.tolist())
    whole = []
    for _ in range(min(100, queries)):
        asked, _ = _flipped(known, rng)
        started = time.perf_counter()
        registry.trace(TENANT, "", Fingerprint((Mark(asked.tobytes()),)))
        whole.append(time.perf_counter() - started)
    store.close()
    table = Table(
        "entries", "filled in s", "read in s", "asked", "p50 ms", "p99 ms", "missed", "wrong answers"
    )
    middle, slow = np.percentile(spent, [50, 99]) * 1e3
    table.add_row(
        f"{entries:,}", f"{filling:.0f}", f"{loading:.1f}", f"{queries:,}", f"{middle:.2f}", f"{slow:.2f}",
        str(missed), f"{wrong} of {min(CHECKED, queries)}",
    )  # fmt: skip
    middle, slow = np.percentile(whole[1:], [50, 99]) * 1e3
    table.add_row("", "", "", f"{len(whole) - 1} with tables", f"{middle:.2f}", f"{slow:.2f}", "", "")
    return table


def _fill(registry: Registry, known: Hashes) -> None:
    for first in range(0, len(known), MARKS):
        marks = tuple(Mark(one.tobytes()) for one in known[first : first + MARKS])
        registry.enter([Entry(TENANT, "imported", "", source="filled", fingerprint=Fingerprint(marks))])


def _flipped(known: Hashes, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
    """A known hash with up to 31 of its bits turned over, and its place."""
    source = int(rng.integers(len(known)))
    bits = np.unpackbits(known[source])
    bits[rng.choice(256, int(rng.integers(RADIUS + 1)), replace=False)] ^= 1
    return np.packbits(bits), source


def _recall(photos: list[Pixels], prints: list[Fingerprint]) -> Table:
    """How many of the photographs share a hash with themselves after each change."""
    table = Table("change", "photographs", "traced", "share")
    for name, change in _CHANGES.items():
        rng = np.random.default_rng(1)
        traced = sum(
            _near(fingerprint(np.ascontiguousarray(change(photo, rng))), known)
            for photo, known in zip(photos, prints, strict=True)
        )
        table.add_row(name, str(len(photos)), str(traced), f"{traced / len(photos):.4f}")
    return table


def _false_matches(prints: list[Fingerprint]) -> Table:
    """Each photograph's questions against the hashes of all others."""
    whole = [(n, mark) for n, one in enumerate(prints) for mark in one.marks if not mark.part]
    parts = [(n, mark) for n, one in enumerate(prints) for mark in one.marks if mark.part]
    turned = [(n, hash_) for n, mark in whole for hash_ in (mark.hash, *mark.turned)]
    table = Table("different photographs", "pairs", "within 31", "nearest", "at most, a comparison")
    kept = [(n, mark.hash) for n, mark in whole]
    windows = [(n, mark.hash) for n, mark in parts]
    for pairs in (
        _pairs("whole, in 8 positions", turned, kept),
        _pairs("windows with windows", windows, windows),
        _pairs("whole, in 8 positions, with windows", turned, windows),
    ):
        table.add_row(
            pairs.what, f"{pairs.compared:,}", str(pairs.close), str(pairs.nearest), f"{pairs.most:.1e}"
        )
    return table


def _pairs(what: str, asked: list[tuple[int, bytes]], known: list[tuple[int, bytes]]) -> Pairs:
    hashes = np.frombuffer(b"".join(one for _, one in known), np.uint64).reshape(-1, 4)
    owners = np.array([owner for owner, _ in known])
    compared = close = 0
    nearest = 256
    for owner, one in asked:
        others = hashes[owners != owner]
        differing = np.bitwise_count(others ^ np.frombuffer(one, np.uint64)).sum(1)
        compared, close = compared + len(others), close + int((differing <= RADIUS).sum())
        nearest = min(nearest, int(differing.min(initial=256)))
    return Pairs(what, compared, close, nearest)


def _near(asked: Fingerprint, known: Fingerprint) -> bool:
    questions = [one for mark in asked.marks for one in (mark.hash, *mark.turned)]
    if not questions or not known.marks:
        return False
    first = np.frombuffer(b"".join(questions), np.uint64).reshape(-1, 1, 4)
    second = np.frombuffer(b"".join(mark.hash for mark in known.marks), np.uint64).reshape(1, -1, 4)
    return bool((np.bitwise_count(first ^ second).sum(-1) <= RADIUS).any())


def _photographs(folder: Path, most: int) -> Iterator[Pixels]:
    count = 0
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.name.lower().endswith((".jpg", ".png")) or count == most:
                    continue
                file = archive.extractfile(member)
                assert file is not None
                packed = np.frombuffer(file.read(), np.uint8)
                read = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
                count += 1
                yield np.ascontiguousarray(read[:, :, ::-1])


def _cropped(share: float) -> Change:
    """A crop that is shorter by that share on either side, taken anywhere."""

    def change(photo: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = (round(side * (1 - share)) for side in photo.shape[:2])
        top = int(rng.integers(photo.shape[0] - height + 1))
        left = int(rng.integers(photo.shape[1] - width + 1))
        return photo[top : top + height, left : left + width]

    return change


def _jpeg(photo: Pixels, quality: int) -> Pixels:
    _, written = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)


def _halved(photo: Pixels) -> Pixels:
    return np.asarray(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


_CHANGES: dict[str, Change] = {
    "JPEG quality 50": lambda photo, _: _jpeg(photo, 50),
    "half the size": lambda photo, _: _halved(photo),
    "mirrored": lambda photo, _: photo[:, ::-1],
    "quarter turn": lambda photo, _: np.rot90(photo),
    "crop 10 %": _cropped(0.10),
    "crop 10 %, JPEG quality 75": lambda photo, rng: _jpeg(
        np.ascontiguousarray(_cropped(0.10)(photo, rng)), 75
    ),
    "crop 25 %": _cropped(0.25),
}

if __name__ == "__main__":
    sys.exit(main())
