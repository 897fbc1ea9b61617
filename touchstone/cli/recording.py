"""What a command makes is entered in the registry and in the transparency log, many files at a time.

A file that an earlier run entered is not entered again, so that a command which was interrupted, or killed,
goes on and leaves each of its files entered once. A database that cannot be used is said once, and the
command's own work goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from evidence.errors import StoreError
from exports.manifest import Row
from provenance.registry import Registry
from provenance.transparency.canonical import sha256_of
from provenance.transparency.entries import Entry, entries_of, generated
from touchstone.cli.known import TENANT
from worker.jobs.ledger import Ledger
from worker.jobs.store import JobStore
from worker.remembering import Known, open_registry, remember
from worker.settings import Settings

AT_ONCE = 64  # files that share a transaction


class Record:
    """What a command made, a context; without registry or ledger, nothing is entered there."""

    def __init__(self, registry: Registry | None, ledger: Ledger | None) -> None:
        self._registry, self._ledger = registry, ledger
        self._known: list[Known] = []
        self._entries: list[Entry] = []

    def __enter__(self) -> Record:
        with self._usable():
            if self._ledger:
                self._ledger.integrate()  # what an earlier run left is found only in the tree
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def made(self, row: Row, known: Callable[[], Known]) -> None:
        """Enter a file by its row in the manifest; `known` says how it looks, if that is asked."""
        with self._usable():
            if self._registry and not self._registry.holds(TENANT, "generated", row["sha256"]):
                self._known.append(known())
            if self._ledger and not self._ledger.find(sha256_of(row), limit=1):
                self._entries.append(generated(row))
        if max(len(self._known), len(self._entries)) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Enter what waits; on disk when this returns."""
        known, self._known = self._known, []
        entries, self._entries = self._entries, []
        with self._usable():
            if self._registry and known:
                remember(self._registry, TENANT, known)
            if self._ledger and entries:
                self._ledger.append(entries_of({"made": entries}, time.time()))

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            _warn(error)
            self._registry = self._ledger = None


@contextmanager
def recording(settings: Settings, *, remembered: bool = True) -> Iterator[Record]:
    """Where a command enters what it makes; not `remembered`, the log alone has it."""
    remembered = remembered and settings.registry
    if not remembered and not settings.transparency_log:
        yield Record(None, None)
        return
    try:
        store = JobStore(settings.store_url)
    except (StoreError, OSError) as error:
        _warn(error)
        yield Record(None, None)
        return
    try:
        with Record(
            open_registry(store.engine) if remembered else None,
            Ledger(store.engine) if settings.transparency_log else None,
        ) as record:
            yield record
    finally:
        store.close()


def _warn(error: Exception) -> None:
    print(
        f"touchstone: the database cannot be used, so what is made is neither remembered nor logged: {error}",
        file=sys.stderr,
    )
