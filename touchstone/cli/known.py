"""The registry for commands without a server: what they scan, for the tenant of this machine.

A registry that cannot be used is said once, and nothing is remembered: the command's own work goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from evidence.errors import StoreError

if TYPE_CHECKING:
    from provenance.registry import Registry
    from provenance.seen import Seen
    from worker.remembering import Known
    from worker.scanner import Scanned
    from worker.settings import Settings

TENANT = "local"
_DAY_SECONDS = 86_400.0


class Memory:
    """What a command remembers; None of it where the settings forbid it."""

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry

    def scanned(self, scanned: Scanned) -> Scanned:
        """A scan whose report says where its medium was seen before."""
        from worker.remembering import known_scan, told

        report = scanned.report
        known = known_scan(report.to_dict(), scanned.fingerprint) if self._registry else ()
        for seen in self._remember(known):
            return replace(scanned, report=told(report, seen))
        return scanned

    def _remember(self, known: tuple[Known, ...]) -> list[Seen]:
        from worker.remembering import remember

        if self._registry is None or not known:
            return []
        try:
            return remember(self._registry, TENANT, known)
        except StoreError as error:
            _warn(error)
            self._registry = None
            return []


@contextmanager
def remembering(settings: Settings) -> Iterator[Memory]:
    """The memory of this machine, and what is over of it forgotten: scans are kept as long as jobs are."""
    if not settings.registry:
        yield Memory(None)
        return
    from worker.jobs.store import JobStore
    from worker.remembering import open_registry

    try:
        store = JobStore(settings.store_url)
        registry = open_registry(store.engine)
        registry.forget_scans(TENANT, time.time() - settings.retention_days * _DAY_SECONDS)
    except (StoreError, OSError) as error:
        _warn(error)
        yield Memory(None)
        return
    try:
        yield Memory(registry)
    finally:
        store.close()


def _warn(error: Exception) -> None:
    print(f"touchstone: the registry cannot be used, so nothing is remembered: {error}", file=sys.stderr)
