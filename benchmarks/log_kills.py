"""Kills whoever appends to the transparency log, over and over, and counts what that did to it.

    python -m benchmarks.log_kills --kills 100 --on sqlite
    python -m benchmarks.log_kills --kills 100 --on postgres

Two processes append at once and tell each entry once `append` has returned. SIGKILL ends one of them at a
random instant. In the end every entry that was told has to be in the log, none twice, and the log whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.log import entry
from benchmarks.machine import machine
from benchmarks.servers import postgres
from worker.jobs.ledger import Ledger
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.settings import Settings, load_settings

WRITERS = 2
LONGEST_SECONDS = 0.25  # that a writer lives after its first entry
A_RUN = 1_000_000  # entries: the numbers that one process may use


def main(arguments: list[str] | None = None) -> int:
    """Print what was found; 1 when anything was lost, is there twice or does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--on", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        database = stack.enter_context(postgres()) if given.on == "postgres" else None
        settings = load_settings(data_dir=Path(folder), database_url=database and database.url)
        found = storm(settings, given.kills, random.Random(given.seed))
    print(json.dumps({"on": given.on, **found, **machine()}, indent=1))
    wrong = found["lost"] or found["twice"] or found["faults"] or found["untold"] > found["kills"]
    return int(bool(wrong))


def storm(settings: Settings, kills: int, rng: random.Random) -> dict[str, int]:
    """Let processes append and kill them so often: what was told, and what of it is wrong."""
    store = JobStore(settings.store_url)
    logbook = Logbook(store.engine, settings)
    told: list[int] = []
    writers = [_writer(settings, number) for number in range(WRITERS)]
    for number in range(WRITERS, WRITERS + kills):
        victim = rng.randrange(WRITERS)
        told += _killed(writers[victim], rng.uniform(0, LONGEST_SECONDS))
        writers[victim] = _writer(settings, number)
        if rng.random() < 0.2:
            logbook.head()  # signed in between: the log has to continue it
    for writer in writers:
        told += _killed(writer, LONGEST_SECONDS)
    key = logbook.key()
    faults = list(logbook.verify(key))
    there = Counter(int(json.loads(one)["media_sha256"], 16) for one in _all(logbook.ledger))
    store.close()
    return {
        "kills": kills + WRITERS,
        "told": len(told),
        "in_the_log": sum(there.values()),
        "lost": len(set(told) - there.keys()),
        "twice": sum(count > 1 for count in there.values()),
        "untold": len(there.keys() - set(told)),  # in, but killed before it was said: one a kill at most
        "faults": len(faults),
    }


def append_for_ever(url: str, first: int, tell: Callable[[int], Any]) -> None:
    """Append entries from number `first` on, one at a time, and tell each that is in."""
    ledger = Ledger(JobStore(url).engine)
    number = first
    while True:
        ledger.append([entry(number)])
        tell(number)
        number += 1


def _writer(settings: Settings, number: int) -> subprocess.Popen[str]:
    program = (
        "import sys; from benchmarks.log_kills import append_for_ever; "
        "append_for_ever(sys.argv[1], int(sys.argv[2]), lambda n: print(n, flush=True))"
    )
    command = [sys.executable, "-c", program, settings.store_url, str(number * A_RUN)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _killed(writer: subprocess.Popen[str], seconds: float) -> Sequence[int]:
    """Kill a writer so long after its first entry; the numbers it told."""
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(seconds)
    os.kill(writer.pid, signal.SIGKILL)
    lines = [first, *writer.stdout.read().splitlines()]
    writer.wait()
    writer.stdout.close()
    return [int(line) for line in lines if line.strip()]


def _all(ledger: Ledger) -> Iterator[bytes]:
    for first in range(0, ledger.size(), 1_000):
        yield from (said for _, said in ledger.entries(first, 1_000))


if __name__ == "__main__":
    sys.exit(main())
