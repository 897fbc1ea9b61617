"""Who looks for work when nobody brings any, on a clock that the test moves."""

from __future__ import annotations

import threading

import pytest

from evidence.errors import StoreUnavailable
from tests.worker_service import wait_for
from worker.watchman import Watchman


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Works:
    """Notes what it is asked for; `ready` shards are there for whoever looks."""

    def __init__(self, ready: int = 0, error: Exception | None = None) -> None:
        self.asked: list[int | None] = []
        self.ready, self.error = ready, error

    def __call__(self, number: int | None) -> int:
        self.asked.append(number)
        if self.error is not None:
            raise self.error
        return self.ready


def test_nobody_looks_while_messages_come() -> None:
    clock, works = Clock(), Works(ready=3)
    watchman = Watchman(works, quiet_seconds=5.0, clock=clock)

    for number in range(4):
        clock.now += 4.9
        assert watchman.told(number) == 3
        assert watchman.look() == 0

    assert works.asked == [0, 1, 2, 3]


def test_after_a_silence_what_is_ready_is_done_without_further_waiting() -> None:
    clock, works = Clock(), Works(ready=3)
    watchman = Watchman(works, quiet_seconds=5.0, clock=clock)
    clock.now += 5.0

    assert [watchman.look() for _ in range(3)] == [3, 3, 3]

    works.ready = 0
    assert [watchman.look() for _ in range(3)] == [0, 0, 0]
    assert works.asked == [None] * 4, "with nothing to do, the store is asked once a silence"


def test_a_store_out_of_reach_ends_nobody() -> None:
    clock, works = Clock(), Works(error=StoreUnavailable("It is down.", "Wait."))
    watchman = Watchman(works, quiet_seconds=5.0, clock=clock)
    clock.now += 5.0

    assert watchman.look() == 0
    assert watchman.told(7) == 0
    assert works.asked == [None, 7]


@pytest.mark.parametrize("told", [True, False])
def test_nobody_works_twice_at_a_time(told: bool) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    asked: list[int | None] = []

    def slow(number: int | None) -> int:
        asked.append(number)
        at_work.set()
        assert go_on.wait(20)
        return 1

    watchman = Watchman(slow, quiet_seconds=0.0)
    first = threading.Thread(target=watchman.look)
    first.start()
    assert at_work.wait(20)
    second = threading.Thread(target=(lambda: watchman.told(7)) if told else watchman.look)
    second.start()

    assert asked == [None]
    go_on.set()
    first.join()
    second.join()
    assert asked == [None, 7 if told else None]


def test_as_a_thread_it_finds_what_nobody_told_of_and_ends_when_asked() -> None:
    works = Works(ready=1)
    watchman = Watchman(works, quiet_seconds=0.2)
    watchman.start()

    wait_for(lambda: works.asked)
    watchman.stop()
    watchman.join(20)

    assert not watchman.is_alive()
