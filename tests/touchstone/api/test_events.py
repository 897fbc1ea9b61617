"""Events as they happen, resumed where a client was, and answers that wait for the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import Engine

from evidence.errors import StoreUnavailable
from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from tests.worker_service import wait_for
from touchstone.api import watch
from worker.jobs.model import Lease
from worker.jobs.search import newest_events

Told = tuple[int, str, str]


def told(answer: httpx.Response) -> Iterator[Told]:
    """(id, event, data) of each event of a stream."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "event" in fields:
            yield int(fields["id"]), fields["event"], fields["data"]
            fields = {}


def read(api: Api, scan: str, **headers: str) -> list[Told]:
    with api.http.stream("GET", f"/v1/scans/{scan}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(told(answer))


def test_a_client_hears_what_happens_while_it_happens(api: Api) -> None:
    scan = api.upload().json()["id"]
    with api.http.stream("GET", f"/v1/scans/{scan}/events") as answer:
        stream = told(answer)
        assert next(stream)[1] == "queued"
        api.work()
        assert [event for _, event, _ in stream] == ["running", "frame", "done"]


def test_a_client_goes_on_behind_the_event_it_saw_last(api: Api) -> None:
    scan = api.upload().json()["id"]
    api.work()
    everything = read(api, scan)
    assert [event for _, event, _ in everything] == ["queued", "running", "frame", "done"]
    assert everything[2][2] == '{"done": 1, "of": 1}'
    assert read(api, scan, **{"Last-Event-ID": str(everything[1][0])}) == everything[2:]
    params = {"after": everything[1][0]}
    with api.http.stream("GET", f"/v1/scans/{scan}/events", params=params) as answer:
        assert list(told(answer)) == everything[2:]
    ended = api.http.get(f"/v1/scans/{scan}/events", headers={"Last-Event-ID": str(everything[-1][0])})
    assert ended.status_code == 204


def test_a_last_event_that_is_no_number_is_none(api: Api) -> None:
    scan = api.upload().json()["id"]
    api.work()
    for odd in ("x", "-1", "9" * 32):
        assert api.http.get(f"/v1/scans/{scan}/events", headers={"Last-Event-ID": odd}).status_code in (
            200,
            204,
        )


def test_the_stream_of_a_scan_that_is_deleted_ends(api: Api) -> None:
    scan = api.upload().json()["id"]
    with api.http.stream("GET", f"/v1/scans/{scan}/events") as answer:
        stream = told(answer)
        assert next(stream)[1] == "queued"
        api.http.delete(f"/v1/scans/{scan}")
        assert list(stream) == []


def test_a_store_that_is_out_of_reach_for_a_moment_ends_no_stream(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def flaky(engine: Engine, wanted: list[str]) -> dict[str, int]:
        asked.append(1)
        if len(asked) == 1:
            raise StoreUnavailable("The job store cannot be used.")
        return newest_events(engine, wanted)

    monkeypatch.setattr(watch, "newest_events", flaky)
    monkeypatch.setattr(watch, "OUTAGE_SECONDS", 0.05)
    scan = api.upload().json()["id"]
    with api.http.stream("GET", f"/v1/scans/{scan}/events") as answer:
        stream = told(answer)
        assert next(stream)[1] == "queued"
        while len(asked) < 2:
            time.sleep(0.02)
        api.work()
        assert [event for _, event, _ in stream][-1] == "done"


def test_nobody_hears_of_a_scan_that_is_not_theirs(api: Api) -> None:
    problem(api.http.get("/v1/scans/nosuch/events"), 404, "no_such_job")


def test_an_answer_waits_for_the_end(start: StartApi) -> None:
    api = start(wait_seconds=60.0)
    worker = threading.Thread(target=lambda: _work_soon(api))
    worker.start()
    answer = api.upload(headers={"Prefer": "respond-async, wait=60"})
    worker.join()
    assert answer.status_code == 200
    assert answer.json()["verdict"] == "fake"


def test_an_answer_waits_no_longer_than_it_was_asked_to_or_than_the_settings_allow(start: StartApi) -> None:
    api = start(wait_seconds=0.2)
    for wait in ("wait=0", "wait=9999", "wait=x"):
        began = time.monotonic()
        assert api.upload(headers={"Prefer": wait}).status_code == 202
        assert time.monotonic() - began < 25  # thirty seconds is what the settings say by themselves


def _work_soon(api: Api) -> None:
    leases: list[Lease] = []
    wait_for(lambda: leases or leases.extend(api.service.leases.claim("test", ["scan"])))
    api.work(leases[0])
