"""Waiting for a batch: tells how far it is, and works on it here when nobody else does."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from touchstone.cli import guard
from touchstone.cli.progress import Mode
from touchstone.cli.standing import Standing, Watcher
from worker.embedded import EmbeddedRunner
from worker.jobs.leases import Leases
from worker.jobs.model import Job, JobState
from worker.jobs.store import JobStore
from worker.settings import Settings

LOOK_SECONDS = 0.5
# Workers renew their leases each second: who shows no sign for so long is not there.
PATIENCE_SECONDS = 2.5

Tell = Callable[[Standing], None]


def wait(store: JobStore, job: Job, settings: Settings, mode: Mode) -> Standing:
    """Stay until the batch has ended. Raises Interrupted, with how to go on."""
    watcher = Watcher(store, job)
    with guard.patient_interrupts():
        try:
            with telling(mode) as tell, Hands(store, settings) as hands:
                watcher.begin()
                while True:
                    standing = watcher.look()
                    tell(standing)
                    if JobState(standing.state).ended:
                        return standing
                    hands.look(standing.done)
                    time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            standing = watcher.look()
            raise guard.Interrupted(
                f"{standing.done} of {standing.of} media are done, and none of them is lost. Go on with the "
                f"same command, or end it: touchstone batch cancel {job.id}"
            ) from None


class Hands:
    """Whoever works on the store: workers elsewhere, or our own once nothing is heard of others."""

    def __init__(self, store: JobStore, settings: Settings) -> None:
        self._leases, self._settings = Leases(store), settings
        self._runner: EmbeddedRunner | None = None
        self._sign: tuple[float | None, int] = (self._leases.newest(), -1)
        self._heard = time.monotonic()

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.stop()

    def look(self, done: int) -> None:
        """Begin to work here when it is time to."""
        if self._runner is not None or self._settings.broker_url or not self._settings.workers:
            return
        newest = self._leases.newest()
        if (newest is not None and newest != self._sign[0]) or done != self._sign[1] != -1:
            self._heard = time.monotonic()
        self._sign = (newest, done)
        if time.monotonic() - self._heard > PATIENCE_SECONDS:
            self._runner = EmbeddedRunner(self._settings)
            self._runner.start()


@contextmanager
def telling(mode: Mode) -> Iterator[Tell]:
    """Tell how far a batch is: "auto" is a bar at a terminal and nothing elsewhere."""
    if mode == "json":
        yield _as_json
    elif mode == "auto" and sys.stderr.isatty():
        columns = (
            TextColumn("media"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("")

            def tell(standing: Standing) -> None:
                speed = "" if standing.per_second is None else f"{standing.per_second:.1f} a second"
                left = "" if standing.seconds_left is None else f", {standing.seconds_left:.0f} s left"
                progress.update(task, completed=standing.done, total=standing.of, description=speed + left)

            yield tell
    else:
        yield lambda standing: None


def _as_json(standing: Standing) -> None:
    print(json.dumps({"event": "batch", **standing.to_plain()}), file=sys.stderr, flush=True)
