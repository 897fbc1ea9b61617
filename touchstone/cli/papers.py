"""What `touchstone doctor` says of provenance: keys, trust lists, the log and its head, the registry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from provenance.transparency.errors import LogError
from provenance.transparency.notes import Head
from provenance.transparency.tiles import Tree
from provenance.trust import TrustStore
from touchstone.cli.known import TENANT
from touchstone.cli.registry import opened
from worker.jobs.ledger import Ledger
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.settings import Settings

_DAY = 86_400.0


def provenance_words(settings: Settings) -> str:
    """It in a line; nothing is made by looking. Raises TrustError, LogError, StoreError."""
    return "; ".join(_parts(settings))


def _parts(settings: Settings) -> Iterator[str]:
    yield f"signing key {_age(settings.data_dir / 'signing')}"
    yield f"watermark key {_age(settings.generated_key)}"
    store = TrustStore(settings.trust_folder)
    lists = store.lists()
    old = f", {len(store.warnings())} of them old" if store.warnings() else ""
    oldest = max((one.age_days() for one in lists), default=0)
    yield f"{len(lists)} trust lists, the oldest of {oldest} days{old}" if lists else "no trust list"
    if not settings.database_url and not (settings.data_dir / "jobs.db").is_file():
        yield "log and registry are empty"
        return
    yield _log(settings)
    with opened(settings) as registry:
        yield f"registry of {sum(count for *_, count in registry.counts(TENANT))} entries"


def _log(settings: Settings) -> str:
    jobs = JobStore(settings.store_url)
    try:
        ledger, keyring = Ledger(jobs.engine), Logbook(jobs.engine, settings).keyring
        size, key, last = ledger.size(), keyring.public(), keyring.last()
        if key is None or last is None:
            return f"log of {size} entries, no head signed yet"
        head = Head.signed(last, key)
        if head.size > size or Tree(ledger.tile, head.size).root() != head.root:
            raise LogError(
                f"The log does not continue its head of {head.size} entries.",
                "`touchstone log verify` says more.",
            )
        return f"log of {size} entries, which continues its signed head of {head.size}"
    finally:
        jobs.close()


def _age(place: Path) -> str:
    if not place.exists():
        return "not made yet"
    return f"{max(0.0, time.time() - place.stat().st_mtime) / _DAY:.0f} days old"
