"""Buckets that several processes draw on: evenly filled, whoever asks and whatever the clocks say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from jobs_clock import FakeClock

from worker.jobs.buckets import FORGET_SECONDS, Buckets
from worker.jobs.store import JobStore


def take(store: JobStore, used: int, name: str = "a") -> float:
    """What is left of ten tokens, of which two come back a second."""
    return Buckets(store).take({name: used}, per_second=2.0, burst=10.0)[name]


def test_a_bucket_begins_full_and_refills_evenly_up_to_its_burst(store: JobStore, clock: FakeClock) -> None:
    assert take(store, 4) == 6
    clock.now += 1.0
    assert take(store, 5) == 3
    clock.now += 60.0
    assert take(store, 1) == 9


def test_what_two_gave_away_at_once_is_owed(store: JobStore, clock: FakeClock) -> None:
    assert [take(store, 10), take(store, 10)] == [0, -10]
    clock.now += 5.0
    assert take(store, 0) == 0


def test_each_name_has_a_bucket_of_its_own(store: JobStore) -> None:
    assert Buckets(store).take({"b": 3, "a": 1}, per_second=2.0, burst=10.0) == {"a": 9, "b": 7}


def test_of_many_at_the_same_time_each_is_counted(store: JobStore, url: str, clock: FakeClock) -> None:
    def taken(_: int) -> None:
        with closing(JobStore(url, clock=clock)) as own:
            for _ in range(10):
                take(own, 1)

    with ThreadPoolExecutor(4) as sides:
        list(sides.map(taken, range(4)))

    assert take(store, 0) == -30


def test_a_clock_that_is_behind_gives_nothing_twice_and_one_that_was_set_back_holds_nothing_up(
    store: JobStore, clock: FakeClock
) -> None:
    assert take(store, 10) == 0
    clock.now -= 5.0
    assert take(store, 0) == 0
    clock.now += 6.0
    assert take(store, 0) == 2
    clock.now -= 3_600.0
    assert take(store, 0) == 2
    clock.now += 1.0
    assert take(store, 0) == 4


def test_a_bucket_that_nobody_used_for_long_is_forgotten(store: JobStore, clock: FakeClock) -> None:
    take(store, 10_000)
    clock.now += FORGET_SECONDS + 1
    take(store, 1, "b")
    assert take(store, 0) == 10
