"""The work of one worker process: claim shards, perform them, hand in what came of them.

Used alike by the processes of the embedded runner, which look for work themselves, and by Celery's, which
are told of it. A thread hands in what came of a shard while the next one is scanned; the lease is kept until
the store has it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from evidence.errors import ModelError, StoreError, StoreFull
from worker.jobs.cutting import cut, frames_seen
from worker.jobs.holdings import hold, let_go
from worker.jobs.leases import ALONE, Leases
from worker.jobs.model import Lane, Lease
from worker.jobs.store import JobStore
from worker.keeping import Keeper
from worker.media import MediaStore
from worker.perform import KINDS, Outcome, perform_all
from worker.remembering import open_registry, remember, tell
from worker.requests import ScanOptions
from worker.settings import Settings
from worker.sweeping import drop_unheld
from worker.tools import Tools

log = logging.getLogger("touchstone.worker")

# Shards that are claimed at once: their files share batches of the detector.
CLAIMED = 16
# How often a worker without work looks for some, and tries again to reach its store.
LOOK_SECONDS = 0.1
STORE_SECONDS = 1.0


class Workman:
    """One worker on a store; `owner` is the name its leases carry."""

    def __init__(
        self,
        store: JobStore,
        media: MediaStore,
        settings: Settings,
        *,
        owner: str = "",
        lanes: Sequence[Lane] = tuple(Lane),
    ) -> None:
        self.owner = owner or owner_name()
        self._store, self._media = store, media
        self._lanes, self._seconds = lanes, settings.lease_seconds
        self._leases = Leases(store, logged=settings.transparency_log)
        self._keeper = Keeper(self._leases, settings.lease_seconds)
        self._tools = Tools(settings, media, self._keeper, self._tell)
        self._registry = open_registry(store.engine) if settings.registry else None
        self._stopping = threading.Event()
        self._hands = ThreadPoolExecutor(1, thread_name_prefix="hand-in")
        self._handing_in: Future[None] | None = None

    def __enter__(self) -> Workman:
        self._keeper.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tools.__exit__(None, None, None)
        self._hands.shutdown()
        self._keeper.__exit__(None, None, None)

    def warm(self) -> None:
        """Open the default scanner now, so that the first file does not wait for it."""
        with contextlib.suppress(ModelError):  # each scan says so
            self._tools.scanner(ScanOptions())

    def stop(self) -> None:
        """Come to an end soon: what is under way is given back, without an attempt counted."""
        self._stopping.set()
        self._keeper.let_all_go()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            try:
                found = self.work()
            except StoreError:
                self._stopping.wait(STORE_SECONDS)
                continue
            if not found:
                self._stopping.wait(LOOK_SECONDS)

    def work(self, shard: int | None = None) -> int:
        """Claim what is ready and do it; how many shards that were. With `shard`, that one first or nothing.

        Raises StoreError. On a full disk what was claimed is given back after a while, without an attempt
        counted; else it is claimed again by somebody when its lease is over.
        """
        leases = self._claim(CLAIMED) if shard is None else self._claim(1, shard)
        if shard is not None and leases and leases[0].attempt == 1 and leases[0].kind not in ALONE:
            leases += self._claim(CLAIMED - 1)
        taken: dict[str, Lease] = {}

        def take(found: list[Lease]) -> list[Lease]:
            self._keeper.hold(found)
            taken.update({lease.token: lease for lease in found})
            return found

        def hand_in(outcome: Outcome) -> None:
            self._hand_in(outcome)
            self._keeper.drop(taken.pop(outcome.lease.token))

        found = 0
        try:
            for outcome in perform_all(take(leases), self._tools, lambda kind: take(self._further(kind))):
                self._handed_in()
                self._handing_in = self._hands.submit(hand_in, outcome)
                found += 1
            self._handed_in()
        except StoreFull as error:
            log.warning("%s", error)
            self._stopping.wait(STORE_SECONDS)
            raise
        finally:
            try:
                with contextlib.suppress(StoreError):  # its lease is given back like the others
                    self._handed_in()
                if taken:
                    self._patiently(lambda: self._leases.release(list(taken.values())))
            finally:
                for lease in taken.values():
                    self._keeper.drop(lease)
        return max(found, len(leases))

    def _claim(self, count: int, shard: int | None = None, beside: str = "") -> list[Lease]:
        return self._leases.claim(
            self.owner,
            KINDS,
            count=count,
            seconds=self._seconds,
            lanes=self._lanes,
            shard=shard,
            beside=beside,
        )

    def _further(self, kind: str) -> list[Lease]:
        """More of a batch while some of it is under way; uploads wait in no line, another may be free."""
        if kind != "batch" or self._stopping.is_set():
            return []
        with contextlib.suppress(StoreError):  # what is under way goes on, and the next claim says so
            return self._claim(CLAIMED, beside=kind)
        return []

    def _handed_in(self) -> None:
        """Wait until nothing is being handed in; raises what kept it from that."""
        handing_in, self._handing_in = self._handing_in, None
        if handing_in is not None:
            handing_in.result()

    def _hand_in(self, outcome: Outcome) -> None:
        result = outcome.result
        if outcome.known and result is not None and self._registry is not None:
            registry, known, lease = self._registry, outcome.known, outcome.lease
            self._patiently(lambda: tell(known, remember(registry, lease.tenant, known, job=lease.job)))
        if outcome.media:
            self._patiently(lambda: hold(self._store.engine, outcome.lease.job, outcome.media))
        if result is not None and outcome.parts:
            self._patiently(lambda: cut(self._store, outcome.lease, result, outcome.parts))
        elif result is not None:
            self._patiently(lambda: self._leases.complete(outcome.lease, result))
            self._patiently(lambda: self._let_go(outcome))
        else:
            cause = outcome.cause or {}
            self._patiently(lambda: self._leases.fail(outcome.lease, cause, final=outcome.final))

    def _let_go(self, outcome: Outcome) -> None:
        if outcome.spent:
            let_go(self._store.engine, outcome.lease.job, outcome.lease.shard, outcome.spent)
            drop_unheld(self._store.engine, self._media, outcome.spent)

    def _patiently(self, hand_in: Callable[[], object]) -> None:
        """Hand in as soon as the store takes it: what was worked out is not thrown away for a full disk."""
        end = time.monotonic() + self._seconds
        while True:
            try:
                hand_in()
                return
            except StoreError:
                if time.monotonic() > end or self._stopping.wait(STORE_SECONDS):
                    raise

    def _tell(self, lease: Lease, done: int, of: int) -> None:
        with contextlib.suppress(StoreError):  # news only; the job may have been deleted just now
            if lease.parent is not None:
                done, of = frames_seen(self._store, lease, done), lease.payload["of"]
            self._store.note(lease.job, "frame", {"done": done, "of": of})


def owner_name() -> str:
    """A name that no other worker has."""
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
