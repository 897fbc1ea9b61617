"""The perceptual registry: which media were seen before, by their bytes and by how they look.

The tables are the truth. What looks alike is found by an index in memory, which is read on from the tables
before each question; what it finds is looked up again, so that nothing deleted is ever told. A tenant is told
of their own entries and of those for everybody, and of nobody else's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, or_, select, text

from evidence.errors import NoSuchJob
from provenance.perceptual import Fingerprint
from provenance.registry_tables import hashes, media
from provenance.resemblance import Match, resemblances
from provenance.seen import How, Origin, Seen, Sighting, day_of
from provenance.seen_index import Hit, SeenIndex

EVERYBODY = "*"
MOST = 20  # sightings that are told of one medium

_MOST_HITS = 2_000  # hashes looked up for one medium, the nearest
_ORDER_LOCK = 0x70647131  # PostgreSQL: entries are committed in the order of their numbers
_ROWS = 500

Value = TypeVar("Value", int, str)

# One transaction on the database of the job store, its errors in the store's words; NoSuchJob for an entry
# whose job is gone.
Transaction = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Entry:
    """A medium to be remembered. Without a `job`, a later entry of the same bytes and source replaces it."""

    tenant: str
    origin: Origin
    sha256: str
    kind: str = "image"
    name: str = ""
    source: str = ""
    note: str = ""
    job: str | None = None
    fingerprint: Fingerprint = field(default_factory=Fingerprint)


def storable(text: str) -> str:
    """A text as a database holds it: without NUL, and without the halves of characters in some file names."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Registry:
    """The registry in one database; safe for several threads."""

    def __init__(
        self, reading: Transaction, writing: Transaction, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._reading, self._writing, self._clock = reading, writing, clock
        self._index = SeenIndex()

    def enter(self, entries: Sequence[Entry]) -> bool:
        """Remember these, in one transaction; False when their job was deleted meanwhile."""
        try:
            with self._writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_ORDER_LOCK})"))
                for first in range(0, len(entries), _ROWS):
                    self._enter(connection, entries[first : first + _ROWS])
        except NoSuchJob:
            return False
        return True

    def trace(self, tenant: str, sha256: str, fingerprint: Fingerprint) -> Seen:
        """Where a medium was seen before."""
        return self.trace_all(tenant, [(sha256, fingerprint)])[0]

    def trace_all(
        self, tenant: str, asked: Sequence[tuple[str, Fingerprint]], *, but_job: str = ""
    ) -> list[Seen]:
        """Where each of some media was seen before; `but_job` is the job that asks."""
        whose = (tenant, EVERYBODY)
        others = or_(media.c.job.is_(None), media.c.job != but_job)
        with self._reading() as connection:
            self._index.read_on(connection)
            near = [
                sorted(hits, key=lambda hit: hit.distance)[:_MOST_HITS]
                for hits in self._index.near([one for _, one in asked], whose)
            ]
            looked_up = _looked_up(connection, [hit for hits in near for hit in hits], others)
            exact = _same_bytes(connection, {sha256 for sha256, _ in asked if sha256}, whose, others)
        compared = self._index.count(whose)
        return [
            _seen(one, exact.get(sha256, []), _matches(hits, looked_up), compared)
            for (sha256, one), hits in zip(asked, near, strict=True)
        ]

    def holds(self, tenant: str, origin: Origin, sha256: str) -> bool:
        """Whether these bytes are entered as of this origin, for this tenant."""
        wanted = select(media.c.id).where(
            media.c.sha256 == sha256, media.c.tenant == tenant, media.c.origin == origin
        )
        with self._reading() as connection:
            return connection.execute(wanted.limit(1)).first() is not None

    def remove(self, tenant: str, sha256: str) -> int:
        """Forget what has these bytes, however it came in; how many entries."""
        return self._remove(media.c.tenant == tenant, media.c.sha256 == sha256)

    def remove_list(self, tenant: str, source: str) -> int:
        """Forget an imported list."""
        return self._remove(media.c.tenant == tenant, media.c.origin == "imported", media.c.source == source)

    def forget_scans(self, tenant: str, before: float) -> int:
        """Forget scans of no job that were made before then."""
        return self._remove(
            media.c.tenant == tenant,
            media.c.origin == "scanned",
            media.c.job.is_(None),
            media.c.seen < before,
        )

    def counts(self, tenant: str) -> list[tuple[str, str, int]]:
        """How many entries there are by origin and, of lists, by name: (origin, list, entries)."""
        listed = case((media.c.origin == "imported", media.c.source), else_="").label("listed")
        counted = select(media.c.origin, listed, func.count()).where(media.c.tenant == tenant)
        with self._reading() as connection:
            rows = connection.execute(counted.group_by(media.c.origin, listed)).all()
        return sorted((row[0], row[1], row[2]) for row in rows)

    def _remove(self, *which: Any) -> int:
        with self._writing() as connection:
            return connection.execute(delete(media).where(*which)).rowcount

    def _enter(self, connection: Connection, entries: Sequence[Entry]) -> None:
        for same, sha256s in _replaced(entries).items():
            connection.execute(delete(media).where(media.c.sha256.in_(sha256s), *same))
        now = self._clock()
        numbers = connection.execute(
            insert(media).returning(media.c.id, sort_by_parameter_order=True),
            [_row(entry, now) for entry in entries],
        ).scalars()
        rows = [
            {
                "medium": number,
                "tenant": entry.tenant,
                "pdq": mark.hash,
                "part": mark.part,
                "seconds": mark.seconds,
            }
            for number, entry in zip(numbers.all(), entries, strict=True)
            for mark in entry.fingerprint.marks
        ]
        if rows:
            connection.execute(insert(hashes), rows)


def _row(entry: Entry, now: float) -> dict[str, Any]:
    names = ("tenant", "origin", "sha256", "kind", "source", "job")
    said = {name: storable(getattr(entry, name)) for name in ("name", "note")}
    return {**{name: getattr(entry, name) for name in names}, **said, "seen": now}


def _replaced(entries: Sequence[Entry]) -> dict[tuple[ColumnElement[bool], ...], list[str]]:
    """What entries take the place of, themselves when they were entered before: conditions, and sha256s."""
    found: dict[tuple[str | None, ...], list[str]] = {}
    for entry in entries:
        if entry.job is not None:
            found.setdefault((entry.job,), []).append(entry.sha256)
        elif entry.sha256:
            found.setdefault((None, entry.tenant, entry.origin, entry.source), []).append(entry.sha256)
    # A job or a list may have as many rows as there are: what is to be found by its sha256 is hidden from
    # their indexes.
    columns = [
        func.coalesce(one, "") for one in (media.c.job, media.c.tenant, media.c.origin, media.c.source)
    ]
    return {
        tuple(column == (value or "") for column, value in zip(columns, key, strict=False)): sha256s
        for key, sha256s in found.items()
    }


def _same_bytes(
    connection: Connection, sha256s: set[str], whose: Sequence[str], others: ColumnElement[bool]
) -> dict[str, list[Row[Any]]]:
    """The newest rows of each sha256, one more than are told."""
    newest = func.row_number().over(partition_by=media.c.sha256, order_by=media.c.seen.desc())
    found: dict[str, list[Row[Any]]] = {}
    for part in _parts(sha256s):
        same = media.c.sha256.in_(part) & media.c.tenant.in_(whose) & others
        ranked = select(media, newest.label("rank")).where(same).subquery()
        for row in connection.execute(
            select(ranked).where(ranked.c.rank <= MOST + 1).order_by(ranked.c.rank)
        ):
            found.setdefault(row.sha256, []).append(row)
    return found


def _looked_up(
    connection: Connection, hits: Sequence[Hit], others: ColumnElement[bool]
) -> dict[int, tuple[Row[Any], Row[Any]]]:
    """Rows of hashes that are still in the tables, each with its medium."""
    rows: dict[int, Row[Any]] = {}
    about: dict[int, Row[Any]] = {}
    for part in _parts({hit.row for hit in hits}):
        for one in connection.execute(select(hashes).where(hashes.c.id.in_(part))):
            rows[one.id] = one
    for part in _parts({row.medium for row in rows.values()}):
        for medium in connection.execute(select(media).where(media.c.id.in_(part), others)):
            about[medium.id] = medium
    return {number: (row, about[row.medium]) for number, row in rows.items() if row.medium in about}


def _matches(hits: Sequence[Hit], looked_up: Mapping[int, tuple[Row[Any], Row[Any]]]) -> list[Match]:
    """The hits that are still in the tables."""
    found = []
    for hit in hits:
        if hit.row in looked_up:
            row, medium = looked_up[hit.row]
            how: How = "part" if row.part else "picture"
            found.append(
                Match(how, medium, mark=hit.mark, turn=hit.turn, distance=hit.distance, seconds=row.seconds)
            )
    return found


def _seen(asked: Fingerprint, exact: Sequence[Row[Any]], found: Sequence[Match], compared: int) -> Seen:
    told = [_sighting(row, Match("bytes")) for row in exact]
    known = {row.id for row in exact}
    alike = resemblances(asked, [one for one in found if one.medium.id not in known])
    told += [_sighting(row, match) for row, match in alike]
    return Seen(
        tuple(told[:MOST]),
        left_out=max(0, len(told) - MOST),
        compared=compared * len(asked.marks),
        known=bool(asked.marks),
    )


def _sighting(row: Row[Any], match: Match) -> Sighting:
    return Sighting(
        origin=row.origin,
        how=match.how,
        distance=None if match.how == "bytes" else match.distance,
        sha256=row.sha256,
        kind=row.kind,
        name=row.name,
        source=row.source,
        note=row.note,
        job=row.job or "",
        seen=day_of(row.seen),
        turned=match.turned,
        frames=match.frames,
        of=match.of,
        offset_seconds=match.offset_seconds,
    )


def _parts(values: Collection[Value]) -> Iterable[list[Value]]:
    listed = sorted(values)
    return (listed[first : first + _ROWS] for first in range(0, len(listed), _ROWS))
