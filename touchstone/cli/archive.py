"""What goes into a batch: files, folders, patterns and manifests, read item by item into the job store.

Asked for again while it is under way, a batch is not made anew: killed at any instant, the same command goes
on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import chain, groupby
from pathlib import Path
from typing import IO

from evidence.digest import sha256_file
from evidence.errors import BadRow, MediaError, RequestError, UsageError
from touchstone.api.rows import Row, csv_rows, item_of, jsonl_rows, printable
from touchstone.cli.inputs import STDIN, walk
from touchstone.cli.skipped import Skipped
from touchstone.cli.stdin import saved_stdin
from touchstone.report.batch import shards_of
from worker.fetching import check_web, is_elsewhere, is_web
from worker.jobs.model import Job, JobState, Lane
from worker.jobs.search import is_open
from worker.jobs.store import JobStore
from worker.media import MediaStore
from worker.places import list_place
from worker.requests import BatchItem, BatchRequest, ScanOptions, open_batch
from worker.scanner import Scanner
from worker.settings import Settings

TENANT = "local"
_MANIFESTS = (".csv", ".jsonl", ".ndjson")
_DAY = 86_400.0


@dataclass(frozen=True)
class Asked:
    """A batch as it was asked for."""

    arguments: tuple[str, ...]
    options: ScanOptions = field(default_factory=ScanOptions)
    lane: Lane = Lane.BATCH
    key: str = ""
    skip_known: bool = False


@dataclass
class Taken:
    """What became of it: the job, None when every medium is known already; whether it was there before."""

    job: Job | None = None
    again: bool = False
    known: int = 0
    bad: Skipped = field(default_factory=Skipped)


def take_in(store: JobStore, settings: Settings, asked: Asked) -> Taken:
    """Accept a batch, on disk when this returns. Raises UsageError, ModelError, StoreError."""
    if asked.key and asked.skip_known:
        raise UsageError("--key and --skip-known exclude each other.", "Give one of them.")
    with ExitStack() as stack:
        manifests = {
            argument: stack.enter_context(saved_stdin(settings.max_bytes)) if argument == STDIN else argument
            for argument in asked.arguments
            if _is_manifest(argument)
        }
        digest = _digest(asked, manifests)
        if (job := _under_way(store, digest)) is not None:
            return Taken(job, again=True)
        taken = Taken()
        known = _known(store, settings, asked.options) if asked.skip_known else frozenset()
        media: list[str] = []
        source = _Source(settings, manifests, media)
        items = _counted(source.items(asked.arguments), taken, known)
        first = next(items, None)
        if first is None and taken.known:
            return taken
        taken.job, fresh = open_batch(
            store,
            BatchRequest(
                () if first is None else chain([first], items),
                name=" ".join(asked.arguments)[:200],
                digest=digest,
                options=asked.options,
            ),
            tenant=TENANT,
            lane=asked.lane,
            key=asked.key,
            retention_seconds=settings.retention_days * _DAY,
            media=media,
        )
        taken.again = not fresh
        return taken


@dataclass(frozen=True)
class _Source:
    """Where items come from; the sha256 of stored media among them are noted in `media`."""

    settings: Settings
    manifests: dict[str, str]
    media: list[str]

    @cached_property
    def _store(self) -> MediaStore:
        return MediaStore(self.settings.media_folder, max_bytes=self.settings.max_bytes)

    def items(self, arguments: tuple[str, ...]) -> Iterator[BatchItem]:
        """Every item, in the order of the arguments."""
        named = (argument.removeprefix("file://") for argument in arguments)
        for (listed, elsewhere), group in groupby(named, lambda it: (it in self.manifests, is_elsewhere(it))):
            if listed:
                for argument in group:
                    yield from self._listed(argument)
            elif elsewhere:
                for argument in group:
                    yield from self._below(argument)
            else:
                yield from _files(group)

    def _below(self, place: str) -> Iterator[BatchItem]:
        """Every file of a place; where there is none, the place is a file itself."""
        if is_web(place):
            check_web(place, self.settings)
            yield BatchItem(place, path=place)
            return
        empty = True
        for address in list_place(place, self.settings):
            empty = False
            yield BatchItem(printable(address), path=address)
        if empty:
            yield BatchItem(printable(place), path=place)

    def _listed(self, argument: str) -> Iterator[BatchItem]:
        beside = Path() if argument == STDIN else Path(argument).parent
        with _lines_of(self.manifests[argument]) as (begin, lines):
            rows: Iterator[Row]
            if begin.startswith("{"):
                rows = jsonl_rows(lines)
            elif argument == STDIN and not {"path", "sha256"} & set(next(csv.reader([begin]), [])):
                yield from _files(line.rstrip("\r\n") for line in lines if line.strip())
                return
            else:
                rows = csv_rows(lines)
            try:
                for number, row in enumerate(rows, 1):
                    yield item_of(
                        row, number, resolve=lambda path: self._resolve(beside, path), holds=self._holds
                    )
            except RequestError as error:
                raise UsageError(f"{argument}: {error.message}", error.advice) from None

    def _resolve(self, beside: Path, path: str) -> str:
        if is_web(path):
            check_web(path, self.settings)
        path = path.removeprefix("file://")
        return path if is_elsewhere(path) else os.path.abspath(beside / path)

    def _holds(self, sha256: str) -> bool:
        if there := self._store.has(sha256):
            self.media.append(sha256)
        return there


@contextmanager
def _lines_of(path: str) -> Iterator[tuple[str, IO[str]]]:
    """The first line of a manifest, and all of them."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            begin = lines.readline()
            lines.seek(0)
            yield begin, lines
    except OSError as error:
        raise UsageError(f"The manifest {path} cannot be read: {error.strerror}.", "Name another.") from None


def _files(arguments: Iterator[str]) -> Iterator[BatchItem]:
    for item in walk(arguments):
        problem = "" if item.problem is None else str(item.problem)
        yield BatchItem(item.path, path="" if problem else os.path.abspath(item.path), problem=problem)


def _counted(items: Iterator[BatchItem], taken: Taken, known: frozenset[str]) -> Iterator[BatchItem]:
    """Those that are not known; bad rows are told of."""
    for item in items:
        if item.problem:
            taken.bad.add(item.name, BadRow(item.problem))
        elif known and (item.sha256 or _content(item.path)) in known:
            taken.known += 1
            continue
        yield item


def _content(path: str) -> str:
    try:
        return sha256_file(Path(path))
    except (MediaError, OSError):
        return ""  # the scan itself will say what is wrong


def _known(store: JobStore, settings: Settings, options: ScanOptions) -> frozenset[str]:
    """The sha256 of every medium that has a report by this detector with these settings."""
    scanner = Scanner(settings, sampling=options.sampling(settings))
    wanted, found = scanner.detector.fingerprint, set()
    before: tuple[float, str] | None = None
    while jobs := store.find(TENANT, before=before):
        before = (jobs[-1].created, jobs[-1].id)
        for job in jobs:
            for shard in shards_of(store, job) if job.kind in ("batch", "scan") else ():
                result = shard.result or {}
                for row in result.get("rows") or ([result["report"]] if "report" in result else []):
                    if row["status"] == "ok" and row["engine"].get("fingerprint") == wanted:
                        found.add(row["media"]["sha256"])
    return frozenset(found)


def _under_way(store: JobStore, digest: str) -> Job | None:
    """The batch of the very same command that has not ended."""
    for state in (JobState.RUNNING, JobState.QUEUED):
        for job in store.find(TENANT, state=state, limit=1_000):
            if job.kind == "batch" and job.request.get("digest") == digest:
                if is_open(store.engine, job.id):
                    raise UsageError(
                        f"Batch {job.id} of the same command was cut off while it was being accepted.",
                        f"End it, then submit again: touchstone batch cancel {job.id}",
                    )
                return job
    return None


def _digest(asked: Asked, manifests: dict[str, str]) -> str:
    """What makes a command the same: its arguments and options, and what its manifests hold."""
    said = [
        sha256_file(Path(manifests[argument])) if argument in manifests else os.path.abspath(argument)
        for argument in asked.arguments
    ]
    plain = {**asdict(asked), "arguments": said, "options": asdict(asked.options)}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _is_manifest(argument: str) -> bool:
    return argument == STDIN or (argument.lower().endswith(_MANIFESTS) and os.path.isfile(argument))


def say(text: str) -> None:
    """A note for people, on standard error."""
    print(f"touchstone: {text}", file=sys.stderr)
