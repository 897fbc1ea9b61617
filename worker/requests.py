"""What may be asked of the queue, as data: a scan, a batch of scans, generated files, a test set.

Each kind of job has a request, which says what was asked, and shards, which say what one worker does at
once. All of it is plain JSON in the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import islice
from typing import Any, TypedDict, TypeVar, Unpack

from evidence.errors import UsageError
from evidence.medium import Sampling
from worker.jobs.model import Job, Lane, NewJob, Plain
from worker.jobs.store import JobStore
from worker.settings import Settings

SHARD_ITEMS = 32  # media that one worker takes at once, so that their tiles meet in batches
MOST_GENERATED = 1_000
TESTSET = "testset"  # the kind of these jobs
# Shards of a batch that are accepted in one transaction: a batch of up to 131 072 media is there whole or
# not at all; of a larger one the rest follows in parts.
_ADDED_AT_ONCE = 4_096

Request = TypeVar("Request", "ScanRequest", "BatchItem", "GenerateRequest", "SetRequest", "ScanOptions")


@dataclass(frozen=True)
class ScanOptions:
    """How media are looked at, where the settings would say otherwise; `model` "" is the default one."""

    every_seconds: float | None = None
    keyframes: bool = False
    max_frames: int | None = None
    model: str = ""

    def sampling(self, settings: Settings) -> Sampling:
        """Which frames of a video that means."""
        return Sampling(
            mode="keyframes" if self.keyframes else "every",
            every_seconds=self.every_seconds or settings.every_seconds,
            max_frames=self.max_frames or settings.sample_frames,
        )


@dataclass(frozen=True)
class ScanRequest:
    """One medium to be scanned, stored or at a `url`; `name` is what its owner calls it and never a path."""

    sha256: str
    name: str
    size_bytes: int
    every_seconds: float | None = None
    keyframes: bool = False
    max_frames: int | None = None
    model: str = ""
    url: str = ""

    @property
    def options(self) -> ScanOptions:
        """The part that is not the medium."""
        return ScanOptions(self.every_seconds, self.keyframes, self.max_frames, self.model)

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        plain = {**vars(self)}
        return plain if self.url else {name: value for name, value in plain.items() if name != "url"}

    @classmethod
    def from_plain(cls, plain: Plain) -> ScanRequest:
        """What `to_plain` gave."""
        return _read(cls, plain)


@dataclass(frozen=True)
class BatchItem:
    """A row of a batch: a file by its path on the server or its address, or a stored medium by its sha256.

    `problem` is why a row of a manifest makes no sense: it is a row of the result too.
    """

    name: str
    path: str = ""
    sha256: str = ""
    client_ref: str = ""
    problem: str = ""

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it, without what is empty."""
        return {key: value for key, value in vars(self).items() if value}

    @classmethod
    def from_plain(cls, plain: Plain) -> BatchItem:
        """What `to_plain` gave."""
        return _read(cls, {"name": "", **plain})


@dataclass(frozen=True)
class BatchRequest:
    """Any number of media to be scanned alike; `items` are read once, as they are taken in.

    `digest` tells two manifests apart that begin alike, when an idempotency key comes again.
    """

    items: Iterable[BatchItem]
    name: str = ""
    digest: str = ""
    options: ScanOptions = field(default_factory=ScanOptions)


@dataclass(frozen=True)
class GenerateRequest:
    """Files to be made by a generator of the suite; `conditions` are what `touchstone generate` takes.

    `unmarked` files do not say that they were generated.
    """

    model: str
    count: int = 1
    seed: int = 0
    unmarked: bool = False
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Plain) -> GenerateRequest:
        """What `to_plain` gave."""
        return _read(cls, plain)


@dataclass(frozen=True)
class SetRequest:
    """A test set to be built from a recipe, whose text it holds; `source`, `count` and `seed` go before it.

    `folder` is where the recipe's own folders begin. Without it they are names of those that the operator
    offers, and the set has limits; `source` then is such a name too. `force` takes a set that leaks.
    """

    name: str
    text: str
    folder: str = ""
    source: str = ""
    count: int | None = None
    seed: int | None = None
    layouts: Sequence[str] = ()
    force: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"layouts": list(self.layouts)}

    @classmethod
    def from_plain(cls, plain: Plain) -> SetRequest:
        """What `to_plain` gave."""
        return _read(cls, plain)


class Terms(TypedDict, total=False):
    """Whose a job is, how urgent, and how long it is kept: fields of `NewJob`, with its defaults."""

    tenant: str
    lane: Lane
    key: str
    client_ref: str
    retention_seconds: float | None


def scan_job(request: ScanRequest, *, webhook: str = "", **terms: Unpack[Terms]) -> NewJob:
    """The job of one scan: kind "scan", one shard."""
    return _one_shard(
        "scan", request.to_plain(), webhook, (request.sha256,) if request.sha256 else (), **terms
    )


def open_batch(
    store: JobStore,
    request: BatchRequest,
    *,
    tenant: str = "local",
    lane: Lane = Lane.BATCH,
    key: str = "",
    client_ref: str = "",
    retention_seconds: float | None = None,
    webhook: str = "",
    media: Collection[str] = (),
) -> tuple[Job, bool]:
    """Accept a batch: kind "batch", shards of up to `SHARD_ITEMS` items; True beside it when it is new.

    `media` are the stored files it needs, looked at after the items. Raises UsageError, and keeps nothing,
    when there is no item.
    """
    options = asdict(request.options)
    shards = (_shard(part, options) for part in _parts(request.items, SHARD_ITEMS))
    groups = _parts(shards, _ADDED_AT_ONCE)
    first, second = next(groups, []), next(groups, [])
    if not first:
        raise UsageError("The batch has no items.", "Name at least one file.")
    plain = {"name": request.name, "options": options, "digest": request.digest, "webhook": webhook}
    new = NewJob(
        kind="batch",
        request={name: value for name, value in plain.items() if value},
        shards=tuple(first),
        tenant=tenant,
        lane=lane,
        key=key,
        client_ref=client_ref,
        retention_seconds=retention_seconds,
        media=tuple(media),
    )
    job, fresh = store.submit(new, more=bool(second))
    if fresh and second:
        for group in (second, *groups):
            store.add(job.id, group)
        store.seal(job.id)
        job = store.get(job.id, tenant)
    return job, fresh


def generate_job(request: GenerateRequest, *, webhook: str = "", **terms: Unpack[Terms]) -> NewJob:
    """The job of making files: kind "generate", one shard."""
    if not 1 <= request.count <= MOST_GENERATED:
        raise UsageError(
            f"{request.count} files were asked for; 1 to {MOST_GENERATED} are made at once.",
            "Ask for fewer, with several seeds.",
        )
    pictures = (one for name in ("input", "mask") for one in request.conditions.get(name, ()))
    media = tuple(picture["sha256"] for picture in pictures)
    return _one_shard("generate", request.to_plain(), webhook, media, **terms)


def set_job(request: SetRequest, *, webhook: str = "", **terms: Unpack[Terms]) -> NewJob:
    """The job of building a test set: kind "testset", one shard that is cut into ranges of its orders."""
    terms.setdefault("lane", Lane.BATCH)
    return _one_shard(TESTSET, request.to_plain(), webhook, (), **terms)


def _one_shard(
    kind: str, plain: dict[str, Any], webhook: str, media: tuple[str, ...], **terms: Unpack[Terms]
) -> NewJob:
    asked = {**plain, "webhook": webhook} if webhook else plain
    return NewJob(kind, asked, (plain,), media=media, **terms)


def _shard(items: Iterable[BatchItem], options: Plain) -> dict[str, Any]:
    return {"items": [item.to_plain() for item in items], "options": dict(options)}


def _read(kind: type[Request], plain: Plain) -> Request:
    known = {item.name for item in fields(kind)}
    return kind(**{name: value for name, value in plain.items() if name in known})


Item = TypeVar("Item")


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
