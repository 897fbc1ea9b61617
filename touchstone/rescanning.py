"""A new detector: every medium that another one judged last becomes one batch in the low lane, once.

What counts is the detector itself, by its sha256: other settings alone make nobody scan an archive again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from exports.registry import ModelEntry
from touchstone.report.batch import shards_of
from worker.jobs.model import Job, JobState, Lane
from worker.jobs.store import JobStore
from worker.requests import BatchItem, BatchRequest, ScanOptions, ScanRequest, open_batch

Plain = dict[str, Any]


def rescan(
    store: JobStore,
    detector: ModelEntry,
    options: ScanOptions,
    *,
    tenant: str = "local",
    webhook: str = "",
    retention_seconds: float | None = None,
) -> Job | None:
    """A batch of all that another detector judged last, the one under way if there is one, or None.

    A medium that such a batch had is not tried a second time, whatever came of it.
    """
    digest = _digest(detector, options)
    for state in (JobState.RUNNING, JobState.QUEUED):
        for job in store.find(tenant, state=state, limit=1_000):
            if job.request.get("digest") == digest:
                return job
    items = list(outdated(store, tenant, detector, options))
    if not items:
        return None
    job, _ = open_batch(
        store,
        BatchRequest(items, name=f"rescan by {detector.label}", digest=digest, options=options),
        tenant=tenant,
        lane=Lane.LOW,
        webhook=webhook,
        retention_seconds=retention_seconds,
        media=[item.sha256 for item in items if item.sha256],
    )
    return job


def outdated(store: JobStore, tenant: str, detector: ModelEntry, options: ScanOptions) -> Iterator[BatchItem]:
    """Every medium whose newest report is by another detector than this one."""
    digest = _digest(detector, options)
    decided: set[str] = set()  # by its content, and by its place: what lies there may be another file now
    for job in jobs_of(store, tenant):
        again = job.request.get("digest") == digest
        for item, row in rows_of(store, job):
            place = item.path or item.sha256
            sha256 = str((row.get("media") or {}).get("sha256") or "")
            if again:
                decided.update(filter(None, (place, sha256)))
            elif row.get("status") == "ok" and not decided & {place, sha256}:
                decided |= {place, sha256}
                if not by(row, detector.sha256):
                    yield item


def by(row: Plain, sha256: str) -> bool:
    """Whether a report is by the detector with this sum."""
    return any(model["sha256"] == sha256 for model in row["models"])


def jobs_of(store: JobStore, tenant: str) -> Iterator[Job]:
    """The scans and batches of a tenant, newest first."""
    before: tuple[float, str] | None = None
    while found := store.find(tenant, before=before):
        before = (found[-1].created, found[-1].id)
        yield from (job for job in found if job.kind in ("batch", "scan"))


def rows_of(store: JobStore, job: Job) -> Iterator[tuple[BatchItem, Plain]]:
    """The media of a scan or a batch that have ended, each with its report."""
    for shard in shards_of(store, job):
        result = shard.result or {}
        rows: Sequence[Plain] = result.get("rows") or ([result["report"]] if "report" in result else [])
        yield from zip(_items(job, shard.payload, rows), rows, strict=False)


def _items(job: Job, payload: Any, rows: Sequence[Plain]) -> Iterator[BatchItem]:
    if job.kind == "batch":
        yield from (BatchItem.from_plain(item) for item in payload["items"])
        return
    request = ScanRequest.from_plain(payload)
    for row in rows:  # what a scan fetched was stored
        sha256 = request.sha256 or (row.get("media") or {}).get("sha256") or ""
        yield BatchItem(request.name, sha256=sha256, client_ref=job.client_ref)


def _digest(detector: ModelEntry, options: ScanOptions) -> str:
    plain = {"rescan": detector.sha256, **asdict(options), "model": ""}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
