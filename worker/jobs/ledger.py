"""The transparency log in the job store: entries are written down with what they tell of, or not at all.

An entry is written, without a position yet, in the transaction that hands in its shard's result, and costs
that one a row. `integrate` takes what waits into the tree, in one transaction too, and `append` does both in
one: killed at any instant, nothing is lost or there twice. The tree lies in tiles (provenance/transparency),
which change at their edge.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from provenance.transparency.entries import media_in
from provenance.transparency.merkle import leaf_hash
from provenance.transparency.tiles import Tree, grow
from worker.jobs.engine import reading, translated, writing
from worker.jobs.rows import in_parts
from worker.jobs.schema import jobs, log_entries, log_state, log_tiles

# Taken into the tree in one transaction: workers wait for it no longer than for one another.
AT_ONCE = 1_000
# How often workers' supervisors do it; whoever asks for a proof does it then.
INTEGRATE_SECONDS = 2.0

Found = tuple[int, bytes]  # an entry and its position

_WAITING = (
    select(log_entries.c.id, log_entries.c.entry)
    .where(log_entries.c.position.is_(None))
    .order_by(log_entries.c.id)
    .limit(AT_ONCE)
)
_PLACED = update(log_entries).where(log_entries.c.id == bindparam("row")).values(position=bindparam("place"))


class Ledger:
    """The log of a job store's database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def append(self, entries: Sequence[bytes]) -> None:
        """Write entries down and take what waits into the tree, `AT_ONCE` at most; on disk at the end."""
        with translated(), writing(self.engine) as connection:
            log_in(connection, entries)
            _grow(connection)

    def integrate(self) -> int:
        """Take what waits into the tree; how many entries that were."""
        taken = 0
        while count := self._integrate():
            taken += count
        return taken

    def size(self) -> int:
        """How many entries the tree holds."""
        with translated(), reading(self.engine) as connection:
            return int(connection.execute(select(log_state.c.size)).scalar_one())

    def tree(self) -> Tree:
        """The tree as it is now."""
        return Tree(self.tile, self.size())

    def tile(self, level: int, number: int, count: int) -> bytes:
        """The hashes of a tile, at least `count` of them where the log is whole."""
        wanted = select(log_tiles.c.hashes).where(log_tiles.c.level == level, log_tiles.c.number == number)
        with translated(), reading(self.engine) as connection:
            return bytes(connection.execute(wanted).scalar() or b"")

    def entries(self, first: int, count: int) -> Iterator[Found]:
        """Up to `count` entries from position `first` on."""
        wanted = (
            select(log_entries.c.position, log_entries.c.entry)
            .where(log_entries.c.position >= first)
            .order_by(log_entries.c.position)
            .limit(count)
        )
        with translated(), reading(self.engine) as connection:
            for row in connection.execute(wanted):
                yield row.position, row.entry.encode()

    def find(self, sha256: str, *, tenant: str | None = None, limit: int = 100) -> list[Found]:
        """The newest entries about a medium or a report, by its sha256, newest first.

        With `tenant` those that came of the tenant's jobs alone.
        """
        about = (log_entries.c.media_sha256 == sha256) | (log_entries.c.report_sha256 == sha256)
        if tenant is not None:
            about &= log_entries.c.job.in_(select(jobs.c.id).where(jobs.c.tenant == tenant))
        wanted = select(log_entries.c.position, log_entries.c.entry).where(
            about, log_entries.c.position.is_not(None)
        )
        with translated(), reading(self.engine) as connection:
            rows = connection.execute(wanted.order_by(log_entries.c.position.desc()).limit(limit))
            return [(row.position, row.entry.encode()) for row in rows]

    def misfiled(self) -> Iterator[int]:
        """Positions of entries that are not found by what they are about, or lie beyond the tree."""
        size, after = self.size(), -1
        columns = (log_entries.c.position, log_entries.c.media_sha256, log_entries.c.report_sha256)
        while True:
            wanted = select(*columns, log_entries.c.entry).where(log_entries.c.position > after)
            with translated(), reading(self.engine) as connection:
                rows = connection.execute(wanted.order_by(log_entries.c.position).limit(AT_ONCE)).all()
            for row in rows:
                if row.position >= size or not _is_filed(row.entry, row.media_sha256, row.report_sha256):
                    yield row.position
            if not rows:
                return
            after = rows[-1].position

    def claim(self, key: str) -> str:
        """The public key that signs this log's heads: from now on this one, if there was none."""
        wanted = select(log_state.c.key)
        with translated(), reading(self.engine) as connection:
            found = str(connection.execute(wanted).scalar_one())
        if found:
            return found
        with translated(), writing(self.engine) as connection:
            connection.execute(update(log_state).where(log_state.c.key == "").values(key=key))
            return str(connection.execute(wanted).scalar_one())

    def _integrate(self) -> int:
        with translated(), reading(self.engine) as connection:
            if connection.execute(_WAITING.limit(1)).first() is None:
                return 0
        with translated(), writing(self.engine) as connection:
            return _grow(connection)


def log_in(connection: Connection, entries: Collection[bytes], job: str = "") -> None:
    """Write entries down within a transaction; `job` is what they came of."""
    rows = []
    for entry in entries:
        medium, report = media_in(json.loads(entry))
        filed = {"media_sha256": medium, "report_sha256": report, "job": job}
        rows.append({**filed, "entry": entry.decode()})
    for part in in_parts(rows):
        connection.execute(insert(log_entries), part)


def _grow(connection: Connection) -> int:
    """Take what waits into the tree within a transaction; how many entries that were."""
    size = connection.execute(select(log_state.c.size).with_for_update()).scalar_one()
    found = connection.execute(_WAITING).all()
    leaves = [leaf_hash(row.entry.encode()) for row in found]

    def read(level: int, number: int, _: int) -> bytes:
        at = (log_tiles.c.level == level) & (log_tiles.c.number == number)
        return bytes(connection.execute(select(log_tiles.c.hashes).where(at)).scalar_one())

    for (level, number), hashes in grow(read, size, leaves).items():
        at = (log_tiles.c.level == level) & (log_tiles.c.number == number)
        if not connection.execute(update(log_tiles).where(at).values(hashes=hashes)).rowcount:
            connection.execute(insert(log_tiles).values(level=level, number=number, hashes=hashes))
    places = [{"row": row.id, "place": position} for position, row in enumerate(found, size)]
    if places:
        connection.execute(_PLACED, places)
    connection.execute(update(log_state).values(size=size + len(found)))
    return len(found)


def _is_filed(entry: str, medium: str, report: str) -> bool:
    try:
        return media_in(json.loads(entry)) == (medium, report)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
