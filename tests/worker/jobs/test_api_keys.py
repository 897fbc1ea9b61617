"""API keys and the files a tenant holds, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from jobs_clock import FakeClock
from sqlalchemy import text

from evidence.errors import KeyRefused, UsageError
from worker.jobs.api_keys import ApiKeys
from worker.jobs.holdings import jobs_holding, unheld
from worker.jobs.leases import Leases
from worker.jobs.model import JobState, NewJob
from worker.jobs.search import Search, count_states, find_jobs
from worker.jobs.store import JobStore

RED, BLUE, NOBODYS = ("a" * 64, "b" * 64, "c" * 64)


def test_a_key_opens_its_tenant_and_only_its_hash_is_kept(store: JobStore) -> None:
    keys = ApiKeys(store)
    kept, shown = keys.add("desk", "newsroom", ["read", "write"], days=1)
    assert keys.check(shown) == kept
    secret = shown.split("_", 2)[2]
    with store.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM api_keys")).all()
    assert len(rows) == 1
    assert secret not in str(rows)


def test_every_wrong_key_is_refused_in_the_same_words(store: JobStore, clock: FakeClock) -> None:
    keys = ApiKeys(store)
    revoked, gone = keys.add("desk", "old", ["read"])
    keys.revoke(revoked.id)
    keys.revoke(revoked.id)
    _, expired = keys.add("desk", "short", ["read"], days=1)
    _, good = keys.add("desk", "good", ["read"])
    clock.now += 86_400
    said = set()
    for wrong in ("", "ts_", good[:-1] + ("A" if good[-1] != "A" else "B"), good + "x", gone, expired):
        with pytest.raises(KeyRefused) as refused:
            keys.check(wrong)
        said.add(str(refused.value))
    assert len(said) == 1
    assert keys.check(good).name == "good"


def test_when_a_key_was_used_last_is_written_down(store: JobStore, clock: FakeClock) -> None:
    keys = ApiKeys(store)
    _, shown = keys.add("desk", "newsroom", ["read"])
    assert keys.find()[0].last_used is None
    clock.now += 10
    keys.check(shown)
    assert keys.find("desk")[0].last_used == clock.now
    assert keys.find("other") == []


def test_there_is_no_key_until_one_is_made_even_if_it_is_revoked(store: JobStore) -> None:
    keys = ApiKeys(store)
    assert not keys.any()
    kept, _ = keys.add("desk", "newsroom", ["read"])
    keys.revoke(kept.id)
    assert keys.any()


@pytest.mark.parametrize(
    ("tenant", "name", "scopes"),
    [("Desk", "n", ["read"]), ("", "n", ["read"]), ("desk", "n" * 129, ["read"]), ("desk", "n", ["rule"]),
     ("desk", "n", [])],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(
    store: JobStore, tenant: str, name: str, scopes: list[str]
) -> None:
    with pytest.raises(UsageError):
        ApiKeys(store).add(tenant, name, scopes)
    assert not ApiKeys(store).any()


def test_an_unknown_key_cannot_be_revoked(store: JobStore) -> None:
    with pytest.raises(UsageError, match="no key"):
        ApiKeys(store).revoke("0123456789ab")


def scan(sha256: str, *, tenant: str = "desk", name: str = "a.jpg", **fields: object) -> NewJob:
    return NewJob("scan", {"name": name}, ({},), tenant=tenant, media=(sha256,), **fields)  # type: ignore[arg-type]


def test_a_file_is_a_tenant_s_while_a_job_of_theirs_needs_it(store: JobStore) -> None:
    mine, _ = store.submit(scan(RED))
    store.submit(scan(BLUE, tenant="other"))
    assert jobs_holding(store.engine, "desk", RED) == [mine.id]
    assert jobs_holding(store.engine, "desk", BLUE) == []
    assert unheld(store.engine, [RED, BLUE, NOBODYS]) == {NOBODYS}
    store.remove(mine.id, "desk")
    assert unheld(store.engine, [RED, BLUE, NOBODYS]) == {RED, NOBODYS}


def test_jobs_are_found_by_state_verdict_name_and_page(store: JobStore, clock: FakeClock) -> None:
    leases = Leases(store)
    made = []
    for name in ("Cat.JPG", "dog.jpg", "100%.png", "cat_2.jpg"):
        clock.now += 1
        made.append(store.submit(scan(RED, name=name, client_ref=name[:3]))[0].id)
    store.submit(scan(RED, tenant="other"))
    store.submit(NewJob("batch", {"name": "cat"}, ({},), tenant="desk"))
    (lease,) = leases.claim("w", ["scan"])
    leases.complete(lease, {"report": {"verdict": "fake"}})

    def found(**wanted: object) -> list[str]:
        search = Search("scan", **wanted)  # type: ignore[arg-type]
        return [job.id for job, _ in find_jobs(store.engine, "desk", search)]

    assert found() == made[::-1]
    assert found(name="cat") == [made[3], made[0]]
    assert found(name="0%") == [made[2]]
    assert found(name="_") == [made[3]]
    assert found(state=JobState.DONE) == found(verdict="fake") == [made[0]]
    assert found(verdict="real") == []
    assert found(client_ref="dog") == [made[1]]
    times = [store.get(job, "desk").created for job in made]
    assert found(since=times[1], until=times[3]) == [made[2], made[1]]
    assert found(verdict="none") == []
    (lease,) = leases.claim("w", ["scan"])
    leases.complete(lease, {"report": {"verdict": None}})
    assert found(verdict="none") == [made[1]]
    last = store.get(made[2], "desk")
    assert found(before=(last.created, last.id), limit=1) == [made[1]]
    (_, shard), *_ = find_jobs(store.engine, "desk", Search("scan", verdict="fake"))
    assert shard is not None
    assert shard.result == {"report": {"verdict": "fake"}}
    assert count_states(store.engine, "desk") == {
        ("scan", "queued"): 2, ("scan", "done"): 2, ("batch", "queued"): 1
    }  # fmt: skip
