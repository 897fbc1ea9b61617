"""Keeps leases while work goes on: a thread renews them, so that a long video is nobody else's meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType

from evidence.errors import StoreError
from worker.jobs.cutting import parts_of
from worker.jobs.leases import Leases
from worker.jobs.model import Lease, Plain, Shard

# How soon a worker hears that a job was cancelled, at the latest.
BEAT_SECONDS = 1.0


class Keeper:
    """Holds leases in the background; `wanted` says of each whether its result is still wanted.

    After `let_all_go` nothing is wanted any more: the worker stops.
    """

    def __init__(self, leases: Leases, seconds: float) -> None:
        self._leases, self._seconds = leases, seconds
        self._held: dict[str, Lease] = {}
        self._lost: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="keeper", daemon=True)

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()

    def hold(self, leases: Sequence[Lease]) -> None:
        """Renew these from now on."""
        with self._lock:
            self._held.update({lease.token: lease for lease in leases})

    def drop(self, lease: Lease) -> None:
        """Renew this one no more: it is handed in or given back."""
        with self._lock:
            self._held.pop(lease.token, None)
            self._lost.discard(lease.token)

    def wanted(self, lease: Lease) -> bool:
        """Whether the lease still counts and the worker goes on."""
        return lease.token not in self._lost and not self._stopping.is_set()

    def parts(self, lease: Lease) -> list[Shard]:
        """What came of the parts that a shard was cut into."""
        return parts_of(self._leases.store, lease.shard)

    def asked(self, lease: Lease) -> Plain:
        """What the job of a shard asks for. Raises NoSuchJob."""
        return self._leases.store.get(lease.job, lease.tenant).request

    def let_all_go(self) -> None:
        """Want nothing any more."""
        self._stopping.set()

    def _beat(self) -> None:
        while not self._closed.wait(min(BEAT_SECONDS, self._seconds / 4)):
            with self._lock:
                held = list(self._held.values())
            if not held:
                continue
            try:
                kept = self._leases.renew(held, seconds=self._seconds)
            except StoreError:
                continue  # whether a lease ran out meanwhile shows when its result is handed in
            with self._lock:
                self._lost |= ({lease.token for lease in held} - kept) & self._held.keys()
