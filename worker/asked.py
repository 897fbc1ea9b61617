"""What the shards of scans and batches ask for, item by item, and how rows of several tries are one result.

A shard that comes back knows some of its rows already: `lease.so_far`. Of its items, those whose row says
`AGAIN` are scanned anew, those that were cut are put together, and the others stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from worker.fetching import is_elsewhere
from worker.jobs.model import Lease, Plain
from worker.media import MediaStore
from worker.requests import BatchItem, ScanOptions, ScanRequest

AGAIN: Plain = {"again": True}  # in the place of a row that is to be worked out once more

Row = TypeVar("Row")


def items_of(lease: Lease) -> list[BatchItem]:
    """Every item that a shard asks for."""
    if lease.kind == "scan":
        request = ScanRequest.from_plain(lease.payload)
        return [BatchItem(name=request.name, sha256=request.sha256, path=request.url)]
    return [BatchItem.from_plain(item) for item in lease.payload["items"]]


def items_left(lease: Lease) -> list[BatchItem]:
    """Those of them that are to be scanned."""
    if lease.so_far is None:
        return items_of(lease)
    rows = lease.so_far["rows"]
    return [item for item, row in zip(items_of(lease), rows, strict=True) if row == AGAIN]


def all_rows(lease: Lease, scanned: Iterable[Row]) -> Sequence[Row | Plain]:
    """The rows of every item of a shard, from those of the items that were left."""
    fresh = iter(scanned)
    if lease.so_far is None:
        return list(fresh)
    return [next(fresh) if row == AGAIN else row for row in lease.so_far["rows"]]


def path_of(item: BatchItem, media: MediaStore) -> str:
    """The file of an item, or the address it lies at."""
    return str(media.place(item.sha256)) if item.sha256 else item.path


def stored_for_parts(item: BatchItem, sha256: str) -> BatchItem:
    """The same item as the workers of its parts find it: what was fetched is in the media store by then."""
    return replace(item, path="", sha256=sha256) if is_elsewhere(item.path) else item


def fetched_parts(lease: Lease) -> tuple[str, ...]:
    """The videos of a shard that were fetched and stored for its parts."""
    if lease.so_far is None:
        return ()
    rows = zip(items_of(lease), lease.so_far["rows"], strict=True)
    return tuple(row["cut"] for item, row in rows if "cut" in row and is_elsewhere(item.path))


def likeness(lease: Lease) -> tuple[str, ScanOptions]:
    """What leases have in common that are performed together."""
    if lease.kind == "scan":
        return lease.kind, ScanRequest.from_plain(lease.payload).options
    return lease.kind, ScanOptions(**lease.payload.get("options", {}))
