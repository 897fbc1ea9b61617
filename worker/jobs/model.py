"""The words of the queue: jobs, the shards they are cut into, leases on shards, and their states.

A job is what a person asked for and gets an answer to; a shard is what a worker does in one go. Times are
seconds since the epoch, by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

Plain = Mapping[str, Any]  # what JSON can hold


class Lane(IntEnum):
    """Who waits: a person at a page, an upload batch, or an archive overnight. Lower goes first."""

    LIVE = 0
    BATCH = 1
    LOW = 2


class JobState(StrEnum):
    """Where a job stands; the last three are its end."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # every shard ended, and none with a result
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ShardState(StrEnum):
    """Where a shard stands; the last three are its end."""

    READY = "ready"
    LEASED = "leased"
    WAITING = "waiting"  # for parts of it, which other workers may do
    DONE = "done"
    DEAD = "dead"  # its attempts are used up; `cause` says why
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class NewJob:
    """What is asked for. `key` makes asking twice one job; `shards` are the payloads of its shards.

    `retention_seconds` is how long the job is kept after its end; None keeps it. `media` are the sha256 of
    stored files it needs (`holdings.py`).
    """

    kind: str
    request: Plain
    shards: tuple[Plain, ...]
    tenant: str = "local"
    lane: Lane = Lane.LIVE
    key: str = ""
    client_ref: str = ""
    batch: str = ""
    retention_seconds: float | None = None
    media: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A job as it stands. `remaining` shards have not ended yet, `dead` of those that did have no result."""

    id: str
    tenant: str
    kind: str
    lane: Lane
    state: JobState
    request: Plain
    client_ref: str
    batch: str
    total: int
    remaining: int
    dead: int
    created: float
    finished: float | None


@dataclass(frozen=True)
class Shard:
    """A shard as it stands, with what came of it."""

    job: str
    position: int
    state: ShardState
    payload: Plain
    attempts: int
    result: Plain | None
    cause: Plain | None


@dataclass(frozen=True)
class Lease:
    """The right to work on one shard until `until`, unless it is renewed; `token` proves it.

    `parent` is the shard that this one is a part of. `so_far` is what was known of a shard when it was cut
    into parts: they have ended.
    """

    shard: int
    job: str
    tenant: str
    kind: str
    position: int
    payload: Plain
    attempt: int
    token: str
    until: float
    parent: int | None = None
    so_far: Plain | None = None


@dataclass(frozen=True)
class Held:
    """A lease as others see it: it lives as long as `until` moves."""

    shard: int
    token: str
    job: str
    attempt: int
    until: float


@dataclass(frozen=True)
class Event:
    """Something that happened to a job; `seq` grows, so a reader goes on after the last one it saw."""

    seq: int
    job: str
    at: float
    kind: str
    data: Plain = field(default_factory=dict)


@dataclass(frozen=True)
class Depth:
    """How much waits, how much is worked on, how much died, and how long the oldest has waited."""

    ready: int
    leased: int
    dead: int
    oldest_seconds: float
