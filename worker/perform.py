"""What a worker does with the shards it holds: one function for each kind of job.

The embedded runner and Celery call `perform_all` alike. Scans that are claimed together go through one
scanner together, so that the tiles of small files meet in batches; what is wrong with one of them is a row
of its result, and only what is wrong with this machine makes an attempt fail.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from functools import partial

from evidence.errors import Abandoned, BadRow, DecoderCrashed, TouchstoneError
from worker.asked import (
    all_rows,
    fetched_parts,
    items_left,
    items_of,
    likeness,
    path_of,
    stored_for_parts,
)
from worker.causes import cause_of, is_full
from worker.fetching import is_elsewhere
from worker.generating import generate
from worker.jobs.cutting import PART
from worker.jobs.leases import MOST_ATTEMPTS
from worker.jobs.model import Lease, Plain
from worker.parts import Long, part_plain, put_together
from worker.pictures import result_with_pictures
from worker.remembering import Known, known_scan
from worker.requests import TESTSET, BatchItem, GenerateRequest, ScanOptions, ScanRequest
from worker.scanner import Scanned, Scanner
from worker.testset_shards import cause_of_death
from worker.tools import Tools

# What came of an item: a report with its pictures, one that was worked out before, or a video to be cut.
Row = Scanned | Plain | Long
# Further leases of a kind that may share the fate of those under way; none when something else goes first.
More = Callable[[str], Sequence[Lease]]

# Further leases join those under way for so long: then the model is looked at anew.
JOIN_SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """What came of a lease: a result, or why there is none; `final` when another attempt cannot help.

    With `parts`, shards that are to be done first, and `result` is what is known so far.
    """

    lease: Lease
    result: Plain | None = None
    cause: Plain | None = None
    final: bool = False
    parts: tuple[Plain, ...] = ()
    media: tuple[str, ...] = ()  # stored meanwhile, to be held for the job
    known: tuple[Known, ...] = ()  # for the registry; the reports among them are those of `result`
    spent: tuple[str, ...] = ()  # stored for the parts of a batch's video, and of no use any more


def perform_all(leases: Sequence[Lease], tools: Tools, more: More | None = None) -> Iterator[Outcome]:
    """What comes of each lease, as soon as it is there; nothing of those that are no longer wanted.

    `more(kind)` is asked for further ones while the last media of these are under way, so that neither the
    decoders nor the detector's batches run dry between two claims.

    Raises StoreFull when there is no room for what was made; the leases that nothing came of are untouched.
    """
    left = deque(leases)
    while left:
        line = _Line(left, more)
        handed_in: set[str] = set()
        try:
            for outcome in _KINDS[line.kind](line, tools):
                handed_in.add(outcome.lease.token)
                yield outcome
        except GeneratorExit:
            raise
        except Exception as error:  # whatever it is, it must cost these leases alone, and be told
            cause, final = cause_of(error)
            for lease in line.leases:
                if lease.token not in handed_in and tools.keeper.wanted(lease):
                    yield Outcome(lease, cause=cause, final=final)


class _Line:
    """The first of the leases left, with those behind it that ask for the same, and those that join them."""

    def __init__(self, left: deque[Lease], more: More | None) -> None:
        self.kind, self.options = likeness(left[0])
        self.leases: list[Lease] = []
        self._left, self._more = left, more
        self._until = time.monotonic() + JOIN_SECONDS
        self._take()

    def growing(self) -> Iterator[Lease]:
        """Each of the leases; behind the last one those that join, if any do."""
        at = 0
        while at < len(self.leases) or self._join():
            yield self.leases[at]
            at += 1

    def _join(self) -> bool:
        alone = any(lease.attempt > 1 for lease in self.leases)  # one of them may have ended its worker
        if self._more is None or self._left or alone or time.monotonic() > self._until:
            return False
        self._left.extend(self._more(self.kind))
        return self._take()

    def _take(self) -> bool:
        """Have those of the same likeness from the leases left; whether there was one."""
        before = len(self.leases)
        while self._left and likeness(self._left[0]) == (self.kind, self.options):
            self.leases.append(self._left.popleft())
        return len(self.leases) > before


@dataclass
class _Open:
    """A lease whose media are under way, and what came of them so far."""

    lease: Lease
    items: list[BatchItem]
    rows: list[Row] = field(default_factory=list)


def _scan(line: _Line, tools: Tools) -> Iterator[Outcome]:
    for lease, rows in _rows(line, tools):
        row = rows[0]
        if not isinstance(row, Scanned):
            yield _in_parts(lease, rows, line.options)
        elif again := _worth_another(lease, rows):
            yield again
        else:
            url = ScanRequest.from_plain(lease.payload).url
            stored = tools.fetcher.keep(url) if url else None
            result = result_with_pictures(lease.job, row, tools.media)
            known = known_scan(result["report"], row.fingerprint)
            yield Outcome(lease, result, media=(stored.sha256,) if stored else (), known=known)


def _batch(line: _Line, tools: Tools) -> Iterator[Outcome]:
    for lease, rows in _rows(line, tools):
        again = _worth_another(lease, rows)
        if again is None and any(isinstance(row, Long) for row in rows):
            again = _in_parts(lease, rows, line.options)
        if again is None:
            result, known = _result(rows)
            again = Outcome(lease, result, known=known, spent=fetched_parts(lease))
        yield again


def _part(line: _Line, tools: Tools) -> Iterator[Outcome]:
    for lease in line.leases:
        if "testset" in lease.payload:
            with suppress(Abandoned):
                forged = tools.sets.forge(lease, partial(tools.drawn, lease))
                yield Outcome(lease, forged.result, known=forged.known)
            continue
        path = path_of(BatchItem.from_plain(lease.payload["asked"]), tools.media)
        first, end = lease.payload["part"]
        tools.watch(path, lease)
        try:
            looked = tools.scanner(line.options).scan_part(path, (first, end))
        finally:
            tools.unwatch()
        if not tools.keeper.wanted(lease):
            continue
        if isinstance(looked, DecoderCrashed) and lease.attempt < MOST_ATTEMPTS:
            yield Outcome(lease, cause={"code": looked.code, "message": str(looked)})
        else:
            yield Outcome(lease, part_plain(looked))


def _generate(line: _Line, tools: Tools) -> Iterator[Outcome]:
    for lease in line.leases:
        request, known = GenerateRequest.from_plain(lease.payload), list[Known]()
        told = partial(tools.drawn, lease)
        try:
            made = generate(lease.job, request, tools.settings, tools.media, told, known.append)
        except Abandoned:
            tools.media.forget(lease.job)
            continue
        except (TouchstoneError, OSError) as error:  # another lease may ask for something that can be had
            if is_full(error):
                tools.media.forget(lease.job)  # half of what was asked only takes the room away
            cause, final = cause_of(error)
            yield Outcome(lease, cause=cause, final=final)
            continue
        yield Outcome(lease, made, known=tuple(known))


def _testset(line: _Line, tools: Tools) -> Iterator[Outcome]:
    for lease in line.leases:
        if lease.so_far is None:
            about, parts = tools.sets.begin(lease)
            yield Outcome(lease, about, parts=tuple(parts))
            continue
        found = tools.keeper.parts(lease)
        if (cause := cause_of_death(found)) is not None:
            yield Outcome(lease, cause=cause, final=True)
            continue
        with suppress(Abandoned):
            yield Outcome(lease, tools.sets.finish(lease, found, partial(tools.heed, lease)))


def _rows(line: _Line, tools: Tools) -> Iterator[tuple[Lease, list[Row]]]:
    """Each lease with what came of every item of it, in their order; first those whose parts have ended."""
    for lease in line.leases:
        if lease.so_far is not None and not items_left(lease):
            yield lease, _put_together(lease, lease.so_far["rows"], tools.scanner(line.options), tools)
    yield from _scanned(line, tools)


def _put_together(lease: Lease, rows: Sequence[Plain], scanner: Scanner, tools: Tools) -> list[Row]:
    parts, items = tools.keeper.parts(lease), items_of(lease)
    found: list[Row] = []
    for at, (row, item) in enumerate(zip(rows, items, strict=True)):
        if "cut" in row:
            whole = put_together([part for part in parts if part.payload["item"] == at], row["cut"])
            stored = stored_for_parts(item, row["cut"])
            found.append(scanner.scan_whole(path_of(stored, tools.media), whole).named(item.name))
        else:
            found.append(row)
    return found


def _in_parts(lease: Lease, rows: Sequence[Row], options: ScanOptions) -> Outcome:
    """The long videos of a lease as parts of their own; of the rest, what was found."""
    parts: list[Plain] = []
    stored: list[str] = []
    for at, (row, item) in enumerate(zip(rows, items_of(lease), strict=True)):
        if isinstance(row, Long):
            frames = row.parts[-1][1] if lease.kind == "scan" else 0  # a batch counts media
            if is_elsewhere(item.path):
                stored.append(row.info.sha256)
                item = stored_for_parts(item, row.info.sha256)
            asked = {"item": at, "asked": item.to_plain(), "options": asdict(options), "of": frames}
            parts += [{**asked, "part": list(part)} for part in row.parts]
    result, known = _result(rows)
    return Outcome(lease, result, parts=tuple(parts), media=tuple(stored), known=known)


def _result(rows: Sequence[Row]) -> tuple[Plain, tuple[Known, ...]]:
    """Rows as they are kept, and those of them that were scanned now for the registry."""
    plain: list[Plain] = []
    known: tuple[Known, ...] = ()
    for row in rows:
        if isinstance(row, Scanned):
            report = row.report.to_dict()
            plain.append(report)
            known += known_scan(report, row.fingerprint)
        else:
            plain.append({"cut": row.info.sha256} if isinstance(row, Long) else row)
    return {"rows": plain}, known


def _scanned(line: _Line, tools: Tools) -> Iterator[tuple[Lease, list[Row]]]:
    """Each lease with a report for every item of it, in their order, scanned together."""
    scanner = tools.scanner(line.options)
    under_way: dict[str, _Open] = {}
    coming: deque[tuple[_Open, BatchItem]] = deque()

    def paths() -> Iterator[str]:
        for lease in line.growing():
            if not (items := items_left(lease)):
                continue
            opened = under_way[lease.token] = _Open(lease, items)
            for item in opened.items:
                if not tools.keeper.wanted(lease):
                    break
                coming.append((opened, item))
                if not item.problem:
                    path = path_of(item, tools.media)
                    tools.watch(path, lease)
                    yield path

    def hand_over(one: Scanned | Long) -> Iterator[tuple[Lease, list[Row]]]:
        opened, item = coming.popleft()
        lease, rows = opened.lease, opened.rows
        if isinstance(one, Long):
            tools.fetcher.keep(item.path)  # for the workers of its parts
        elif lease.kind == "batch":
            tools.fetcher.drop(item.path)
        rows.append(one.named(item.name) if isinstance(one, Scanned) else one)
        if len(rows) == len(opened.items) and tools.keeper.wanted(lease):
            del under_way[lease.token]
            yield lease, list(all_rows(lease, rows))

    def known() -> Iterator[tuple[Lease, list[Row]]]:
        """Rows that make no sense, up to the next one that is scanned."""
        while coming and (problem := coming[0][1].problem):
            yield from hand_over(scanner.unable(coming[0][1].name, BadRow(problem)))

    try:
        with closing(scanner.scan_or_cut(paths())) as scans:
            for scanned in scans:
                yield from known()
                yield from hand_over(scanned)
                if not any(tools.keeper.wanted(opened.lease) for opened in under_way.values()):
                    return
        yield from known()
    finally:
        tools.unwatch()
        tools.fetcher.close()


def _worth_another(lease: Lease, rows: Sequence[Row]) -> Outcome | None:
    """A failed attempt when a decode child died, maybe not of the file; what the last attempt says counts."""
    reasons = [row.report.reason for row in rows if isinstance(row, Scanned)]
    crashed = next((reason for reason in reasons if reason and reason.code == DecoderCrashed.code), None)
    if crashed is None or lease.attempt >= MOST_ATTEMPTS:
        return None
    return Outcome(lease, cause={"code": crashed.code, "message": crashed.message})


_KINDS: dict[str, Callable[[_Line, Tools], Iterator[Outcome]]] = {
    "scan": _scan,
    "batch": _batch,
    PART: _part,
    "generate": _generate,
    TESTSET: _testset,
}
KINDS = tuple(_KINDS)
