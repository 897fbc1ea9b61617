"""How often a tenant may ask, of one process and of several that serve together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from evidence.errors import StoreUnavailable, TooMany
from tests.api_service import Api
from tests.worker_service import wait_for
from touchstone.api.rates import Rates
from worker.jobs.buckets import Buckets
from worker.jobs.schema import rate_buckets
from worker.jobs.store import JobStore

Now = list[float]


@pytest.fixture
def now() -> Now:
    """The one clock of a test, in seconds."""
    return [1_000.0]


@pytest.fixture
def buckets(tmp_path: Path, now: Now) -> Iterator[Buckets]:
    with closing(JobStore(f"sqlite:///{tmp_path / 'jobs.db'}", clock=lambda: now[0])) as store:
        yield Buckets(store)


def given(rates: Rates, asked: int = 1_000) -> int:
    """How many of so many requests are let through."""
    count = 0
    for _ in range(asked):
        try:
            rates.take("red")
        except TooMany:
            break
        count += 1
    return count


def test_a_burst_is_let_through_and_then_what_refills(now: Now) -> None:
    rates = Rates(120, clock=lambda: now[0])
    assert given(rates) == 20
    now[0] += 3.0
    assert given(rates) == 6
    with pytest.raises(TooMany) as refused:
        rates.take("red")
    assert refused.value.retry_after_seconds == pytest.approx(0.5)
    rates.take("blue")


def test_no_limit_is_none() -> None:
    assert given(Rates(0)) == 1_000


def test_several_processes_together_let_through_what_one_would(now: Now, buckets: Buckets) -> None:
    processes = [Rates(120, "requests", buckets, clock=lambda: now[0]) for _ in range(3)]
    total = 0
    for _ in range(300):
        for rates in processes:
            total += given(rates)
            rates.share()
        now[0] += 1.0

    # 600 in five minutes, and each process's own burst before it heard of the others.
    assert 600 <= total <= 600 + 3 * 20


def test_a_tenant_that_asks_one_process_alone_is_let_through_as_before(now: Now, buckets: Buckets) -> None:
    busy, idle = (Rates(120, "requests", buckets, clock=lambda: now[0]) for _ in range(2))
    total = 0
    for _ in range(60):
        total += given(busy)
        busy.share()
        idle.share()
        now[0] += 1.0
    assert total == 20 + 59 * 2


def test_what_was_given_while_the_store_was_away_is_told_later(
    now: Now, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (Rates(120, "requests", buckets, clock=lambda: now[0]) for _ in range(2))
    assert given(first, 15) == 15

    def away(*_: object, **__: object) -> dict[str, float]:
        raise StoreUnavailable("It is away.", "Wait.")

    with monkeypatch.context() as patch:
        patch.setattr(Buckets, "take", away)
        with pytest.raises(StoreUnavailable):
            first.share()
    first.share()
    assert given(second, 1) == 1
    second.share()
    assert given(second) == 4


def test_a_service_on_postgresql_shares_its_rates_by_itself_and_one_on_a_file_does_not(
    start: Callable[..., Api], postgres_database: str
) -> None:
    alone = start(requests_per_minute=600)
    assert alone.service.sharing is None
    api = start(requests_per_minute=600, database_url=postgres_database)
    api.http.get("/v1/limits")

    def told() -> list[str]:
        with api.service.store.engine.connect() as connection:
            return list(connection.execute(select(rate_buckets.c.name)).scalars())

    wait_for(lambda: told() == ["requests:local"])
