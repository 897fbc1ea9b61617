"""The transparency log at its size: appending, signing, proving and verifying, and edits that must be found.

    python -m benchmarks.log --entries 1000000 --edits 1000

On SQLite, or with `--url` on another job store's database, which should be empty.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from benchmarks.machine import machine
from provenance.transparency.canonical import canonical
from provenance.transparency.notes import peek
from provenance.transparency.proofs import check
from provenance.transparency.tiles import WIDTH, widths
from worker.jobs.engine import writing
from worker.jobs.ledger import AT_ONCE, Ledger
from worker.jobs.schema import log_entries, log_tiles
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.settings import load_settings

SAMPLES = 300
# The log in which edits are made, each found by a whole audit: three levels would only take longer.
EDITED = 2_000


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; 1 when an edit was not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--url", default="", help="the database, else SQLite in a folder of its own")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), database_url=given.url or None)
        store = JobStore(settings.store_url)
        found: dict[str, Any] = {"entries": given.entries, "on": store.engine.dialect.name}
        logbook = Logbook(store.engine, settings)
        began = time.perf_counter()
        _fill(logbook.ledger, 0, given.entries)
        found["filled_per_second"] = round(given.entries / (time.perf_counter() - began))
        found |= _timed(logbook, given.entries)
        began = time.perf_counter()
        faults = list(logbook.verify(logbook.key()))
        found |= {"verify_seconds": round(time.perf_counter() - began, 1), "faults": len(faults)}
        store.close()
    missed = _edits(given.edits)
    print(json.dumps({**found, "edits": given.edits, "edits_not_found": missed, **machine()}, indent=1))
    return int(bool(missed or faults))


def entry(number: int) -> bytes:
    """An entry like any other."""
    said = {
        "schema": "touchstone.log/1", "kind": "scan", "time": "2026-11-25T08:00:00Z", "status": "ok",
        "media_sha256": f"{number:064x}", "report_sha256": f"{number:064d}", "verdict": "fake",
        "models": [{"version": "0.1.0", "sha256": "ab" * 32}],
    }  # fmt: skip
    return canonical(said)


def _fill(ledger: Ledger, first: int, end: int) -> None:
    while first < end:
        ledger.append([entry(number) for number in range(first, min(end, first + AT_ONCE))])
        first += AT_ONCE


def _timed(logbook: Logbook, size: int) -> dict[str, Any]:
    """Milliseconds at this size, each the median and the 99th of 100 of many."""
    rng, key = random.Random(0), logbook.key()
    logbook.head()

    def append(number: int) -> None:
        logbook.ledger.append([entry(number)])

    def prove(_: int) -> None:
        logbook.prove(rng.randrange(size))

    def find(_: int) -> None:
        logbook.proofs(f"{rng.randrange(size):064x}")

    document = logbook.prove(size // 3)
    return {
        **_measured("append", append, size),
        **_measured("sign", lambda _: logbook.head(), size, between=append),
        **_measured("prove", prove, size),
        **_measured("prove_by_medium", find, size),
        **_measured("check", lambda _: check(document, key), size),
    }


def _measured(
    name: str, what: Callable[[int], object], size: int, *, between: Callable[[int], object] | None = None
) -> dict[str, float]:
    spent = []
    for turn in range(SAMPLES):
        if between is not None:
            between(size + SAMPLES + turn)
        began = time.perf_counter()
        what(size + turn)
        spent.append(1e3 * (time.perf_counter() - began))
    return {
        f"{name}_ms": round(statistics.median(spent), 2),
        f"{name}_p99_ms": round(sorted(spent)[int(0.99 * len(spent))], 2),
    }


def _edits(count: int) -> int:
    """How many random edits of one bit, in entries and in nodes, a whole audit does not find."""
    rng, missed = random.Random(1), 0
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder), database_url="")
        store = JobStore(settings.store_url)
        logbook = Logbook(store.engine, settings)
        _fill(logbook.ledger, 0, EDITED)
        key, size = logbook.key(), peek(logbook.head()).size
        for _ in range(count):
            undo = rng.choice([_edit_entry, _edit_tile])(store.engine, rng, size)
            missed += not list(logbook.verify(key))
            undo()
        store.close()
    return missed


def _edit_entry(engine: Engine, rng: random.Random, size: int) -> Callable[[], None]:
    position = rng.randrange(size)
    before = next(data for _, data in Ledger(engine).entries(position, 1))
    at, bit = rng.randrange(len(before)), rng.randrange(7)  # it stays a text
    after = before[:at] + bytes([before[at] ^ 1 << bit]) + before[at + 1 :]
    place = log_entries.c.position == position
    return _changed(engine, log_entries, place, "entry", before.decode(), after.replace(b"\0", b"?").decode())


def _edit_tile(engine: Engine, rng: random.Random, size: int) -> Callable[[], None]:
    level, count = rng.choice(widths(size))
    number = rng.randrange(-(-count // WIDTH))
    before = Ledger(engine).tile(level, number, 1)
    at = rng.randrange(len(before))
    after = before[:at] + bytes([before[at] ^ 1 << rng.randrange(8)]) + before[at + 1 :]
    place = (log_tiles.c.level == level) & (log_tiles.c.number == number)
    return _changed(engine, log_tiles, place, "hashes", before, after)


def _changed(
    engine: Engine, table: Any, place: Any, column: str, before: object, after: object
) -> Callable[[], None]:
    """Change a value behind the log's back; what is returned puts it back."""

    def put(value: object) -> None:
        with writing(engine) as connection:
            connection.execute(update(table).where(place).values({column: value}))

    put(after)
    return lambda: put(before)


if __name__ == "__main__":
    sys.exit(main())
