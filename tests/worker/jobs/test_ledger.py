"""The transparency log on SQLite and on PostgreSQL: nothing is lost, doubled, or edited unseen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jobs_clock import FakeClock
from sqlalchemy import Connection, delete, update

from evidence.errors import UsageError
from evidence.verdict import ModelUse, Report
from provenance.transparency.entries import entries_of
from provenance.transparency.errors import LogError
from provenance.transparency.notes import Head, SecretKey, peek
from provenance.transparency.proofs import check
from tests.conftest import ROOT
from worker.jobs.engine import writing
from worker.jobs.leases import Leases
from worker.jobs.ledger import AT_ONCE, Ledger
from worker.jobs.model import NewJob
from worker.jobs.schema import log_entries, log_state, log_tiles, shards
from worker.jobs.store import JobStore
from worker.logbook import Logbook
from worker.settings import Settings, load_settings


def report_of(number: int) -> dict[str, Any]:
    """A report on a medium of its own."""
    media = {"path": f"{number}.jpg", "sha256": f"{number:064x}"}
    model = ModelUse("tiny", "1", "ab" * 32, 0.9, 1.0)
    return Report(str(number), media, "ok", verdict="fake", models=(model,)).to_dict()


def entries(count: int, first: int = 0) -> list[bytes]:
    return entries_of({"rows": [report_of(number) for number in range(first, first + count)]}, 1e9)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture
def logbook(store: JobStore, settings: Settings) -> Logbook:
    return Logbook(store.engine, settings)


def codes(logbook: Logbook, heads: tuple[Head, ...] = ()) -> list[str]:
    return [finding.code for finding in logbook.verify(logbook.key(), heads)]


def submitted(store: JobStore, kind: str = "scan", count: int = 1) -> None:
    store.submit(NewJob(kind=kind, request={}, shards=({"path": "x"},) * count))


def test_a_verdict_is_in_the_log_from_the_moment_it_is_handed_in_and_proved(
    store: JobStore, leases: Leases, logbook: Logbook, clock: FakeClock
) -> None:
    submitted(store)
    (lease,) = leases.claim("w", ["scan"])
    report = report_of(7)
    assert leases.complete(lease, {"report": report})

    (document,) = logbook.proofs(f"{7:064x}")

    assert document["entry"]["verdict"] == "fake"
    proved = check(logbook.proved(report), logbook.key())
    assert (proved.index, proved.head.size) == (0, 1)
    assert codes(logbook) == []
    assert logbook.proofs("00" * 32) == []
    with pytest.raises(UsageError, match="There is no entry 1"):
        logbook.prove(1)
    with pytest.raises(LogError, match="not in the log"):
        logbook.proved({**report, "verdict": "real"})


def test_what_was_done_twice_is_logged_once_and_what_does_not_count_never(
    store: JobStore, leases: Leases, logbook: Logbook, clock: FakeClock
) -> None:
    submitted(store)
    (dead,) = leases.claim("w", ["scan"])
    assert leases.late(*leases.held())
    clock.now += 60
    (alive,) = leases.claim("w", ["scan"])

    assert not leases.complete(dead, {"report": report_of(1)})
    assert leases.complete(alive, {"report": report_of(1)})
    assert not leases.complete(alive, {"report": report_of(1)})

    assert logbook.ledger.integrate() == 1


def test_a_deleted_job_leaves_its_entries_and_a_log_that_is_off_gets_none(
    store: JobStore, leases: Leases, logbook: Logbook
) -> None:
    submitted(store, "batch")
    (lease,) = leases.claim("w", ["batch"])
    leases.complete(lease, {"rows": [report_of(1), report_of(2)]})
    store.remove(lease.job)
    submitted(store)
    (other,) = leases.claim("w", ["scan"])
    Leases(store, logged=False).complete(other, {"report": report_of(3)})

    assert logbook.ledger.integrate() == 2
    assert [json.loads(entry)["media_sha256"][-1] for _, entry in logbook.ledger.entries(0, 9)] == ["1", "2"]


@pytest.mark.parametrize("claimed", ["a\0b", "\ud800!"])
def test_the_report_that_is_kept_is_the_one_that_is_logged(
    store: JobStore, leases: Leases, logbook: Logbook, claimed: str
) -> None:
    submitted(store)
    (lease,) = leases.claim("w", ["scan"])
    report = report_of(1)
    leases.complete(lease, {"report": {**report, "warnings": [claimed]}})

    (shard,) = store.shards(lease.job)
    assert shard.result is not None
    assert check(logbook.proved(shard.result["report"]), logbook.key()).index == 0


def test_many_who_log_and_many_who_grow_the_tree_lose_and_double_nothing(
    store: JobStore, url: str, logbook: Logbook
) -> None:
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def work(number: int) -> None:
        own = JobStore(url)
        try:
            start.wait()
            for turn in range(15):
                Ledger(own.engine).append(entries(3, first=1_000 * number + 10 * turn))
                Ledger(own.engine).integrate()
        except BaseException as error:
            failed.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    found = list(logbook.ledger.entries(0, 1_000))
    assert [position for position, _ in found] == list(range(180))
    assert len({entry for _, entry in found}) == 180
    logbook.head()
    assert codes(logbook) == []


def test_every_head_continues_the_one_before_and_proves_it(logbook: Logbook) -> None:
    logbook.ledger.append(entries(AT_ONCE + 300))
    first = peek(logbook.head())
    logbook.ledger.append(entries(5, first=9_000))
    note, path = logbook.consistency(first.size)

    assert logbook.ledger.integrate() == 0
    assert (first.size, peek(note).size) == (AT_ONCE + 300, AT_ONCE + 305)
    assert path
    assert codes(logbook, (first,)) == []
    assert logbook.prove(299)["entry"]["media_sha256"] == f"{299:064x}"


Edit = Callable[[Connection], Any]
SOMEBODY_S = entries(1, first=77)[0]
ENTRY, TILE = log_entries.c.position, (log_tiles.c.level == 0) & (log_tiles.c.number == 0)


def flipped(level: int, number: int, at: int) -> Edit:
    """One bit of one hash changed."""

    def edit(connection: Connection) -> None:
        place = (log_tiles.c.level == level) & (log_tiles.c.number == number)
        hashes = bytearray(connection.execute(log_tiles.select().where(place)).one().hashes)
        hashes[at] ^= 1
        connection.execute(update(log_tiles).where(place).values(hashes=bytes(hashes)))

    return edit


EDITS: dict[str, tuple[Edit, str]] = {
    "an entry": (
        lambda c: c.execute(update(log_entries).where(ENTRY == 300).values(entry=SOMEBODY_S.decode())),
        "entry_changed",
    ),
    "a space in an entry": (
        lambda c: c.execute(update(log_entries).where(ENTRY == 3).values(entry=log_entries.c.entry + " ")),
        "entry_changed",
    ),
    "no JSON": (
        lambda c: c.execute(update(log_entries).where(ENTRY == 3).values(entry="{")), "entry_changed"
    ),
    "a leaf": (flipped(0, 1, 32 * 40), "entry_changed"),
    "a leaf at the edge": (flipped(0, 2, 5), "entry_changed"),
    "a node": (flipped(1, 0, 33), "node_changed"),
    "a tile that is gone": (lambda c: c.execute(delete(log_tiles).where(TILE)), "node_changed"),
    "an entry that is gone": (
        lambda c: c.execute(delete(log_entries).where(ENTRY == 511)), "entry_missing"
    ),
    "a medium's file card": (
        lambda c: c.execute(update(log_entries).where(ENTRY == 9).values(media_sha256="0" * 64)),
        "entry_misfiled",
    ),
    "an entry behind the last": (
        lambda c: c.execute(log_entries.insert().values(
            position=600, media_sha256="0" * 64, report_sha256="0" * 64, entry=SOMEBODY_S.decode())),
        "entry_misfiled",
    ),
    "a log cut short": (lambda c: c.execute(update(log_state).values(size=512)), "truncated"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_whatever_is_edited_in_the_database_is_found(
    name: str, store: JobStore, logbook: Logbook, settings: Settings
) -> None:
    logbook.ledger.append(entries(600))
    logbook.head()
    edit, code = EDITS[name]
    with writing(store.engine) as connection:
        edit(connection)

    assert code in codes(logbook)


def test_a_log_that_was_written_anew_from_one_edited_entry_is_not_signed(
    store: JobStore, logbook: Logbook
) -> None:
    logbook.ledger.append(entries(40))
    kept = peek(logbook.head())
    with writing(store.engine) as connection:
        for table in (log_tiles, log_entries):
            connection.execute(delete(table))
        connection.execute(update(log_state).values(size=0))
    logbook.ledger.append([*entries(39), SOMEBODY_S, *entries(5, first=50)])

    with pytest.raises(LogError, match="set back or edited"):
        logbook.head()
    assert codes(logbook) == ["other_root"]
    assert codes(logbook, (kept,)) == ["other_root"] * 2


def test_a_log_keeps_its_key(store: JobStore, logbook: Logbook, settings: Settings) -> None:
    logbook.head()
    (settings.log_folder / "key").write_text(SecretKey.make("other").text())

    with pytest.raises(LogError, match="the key here is of other"):
        Logbook(store.engine, settings).head()
    with pytest.raises(LogError, match="Its name cannot change"):
        Logbook(store.engine, settings).key("third")


LOGGING = """
import sys
from worker.jobs.leases import Leases
from worker.jobs.ledger import Ledger
from worker.jobs.store import JobStore
sys.path.insert(0, sys.argv[2])
from test_ledger import report_of
store = JobStore(sys.argv[1])
leases, ledger = Leases(store, attempts=1000), Ledger(store.engine)
print("ready", flush=True)
while found := leases.claim("w", ["scan"], count=1):
    leases.complete(found[0], {"report": report_of(found[0].position)})
    ledger.integrate()
    print("done", flush=True)
"""


def test_kill_9_at_any_moment_neither_loses_nor_doubles_an_entry(url: str, settings: Settings) -> None:
    store = JobStore(url)
    submitted(store, count=40)
    leases, logbook = Leases(store, attempts=1000), Logbook(store.engine, settings)
    kills = 0
    while store.find()[0].remaining:
        worker = subprocess.Popen(
            [sys.executable, "-c", LOGGING, url, str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert worker.stdout is not None
        if kills < 4:
            for _ in range(6):  # ready, and five times done
                worker.stdout.readline()
            time.sleep(0.002 * kills)
            worker.send_signal(signal.SIGKILL)
            kills += 1
        worker.stdout.read()
        worker.wait()
        worker.stdout.close()
        leases.lost("w", {"code": "killed"})
        with writing(store.engine) as connection:
            connection.execute(update(shards).values(due=0.0))  # without waiting for the next attempt

    logbook.head()
    found = [json.loads(entry)["media_sha256"] for _, entry in logbook.ledger.entries(0, 1_000)]
    assert kills == 4
    assert sorted(found) == [f"{number:064x}" for number in range(40)]
    assert codes(logbook) == []
    store.close()
