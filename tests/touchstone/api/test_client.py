"""The Python client, sync and async, against the real API; and against servers that fail in passing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from evidence.errors import ApiRefused, ApiUnreachable
from tests.api_service import Api
from tests.touchstone.api.conftest import StartApi
from touchstone import talks as module
from touchstone.client import AsyncClient, Client


@contextmanager
def working(api: Api) -> Iterator[None]:
    """A worker beside the test, until the block is left."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            for lease in api.service.leases.claim("test", ["scan"]):
                api.work(lease)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_file_is_scanned_in_one_line(api: Api, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"a picture")
    with working(api), Client(api.url) as touchstone:
        scan = touchstone.scan(tmp_path / "cat.jpg", client_ref="desk 4")
        assert (scan["verdict"], scan["name"], scan["client_ref"]) == ("fake", "cat.jpg", "desk 4")
        assert touchstone.scan(b"bytes", name="dog.jpg")["report"]["media"]["path"] == "dog.jpg"
        assert [event["event"] for event in touchstone.events(scan["id"])] == [
            "queued", "running", "frame", "done"
        ]  # fmt: skip
        assert [found["name"] for found in touchstone.scans(limit=1)] == ["dog.jpg", "cat.jpg"]
        assert touchstone.call("GET", "/v1/limits")["wait_seconds"] == 30.0


def test_the_async_client_does_the_same(api: Api) -> None:
    async def story() -> list[str]:
        async with AsyncClient(api.url) as touchstone:
            scans = await asyncio.gather(*(touchstone.scan(b"bytes", name=f"{n}.jpg") for n in range(3)))
            assert {scan["verdict"] for scan in scans} == {"fake"}
            batch = await touchstone.batch([{"sha256": scans[0]["sha256"], "name": "again"}])
            told = [event["event"] async for event in touchstone.events(scans[0]["id"], after=1)]
            assert told[-1] == "done"
            with pytest.raises(ApiRefused, match="There is no job"):
                _ = [event async for event in touchstone.events("nosuch")]
            api.work_batch()
            assert [item["name"] async for item in touchstone.batch_items(batch["id"])] == ["again"]
            return sorted([scan["name"] async for scan in touchstone.scans(limit=2)])

    with working(api):
        assert asyncio.run(story()) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_batch_is_started_and_read(api: Api) -> None:
    with Client(api.url) as touchstone:
        sha256 = touchstone.submit(b"bytes")["sha256"]
        batch = touchstone.batch(({"sha256": sha256, "name": f"{n}"} for n in range(3)), name="night")
        api.work_batch()
        assert [item["name"] for item in touchstone.batch_items(batch["id"], limit=2)] == ["0", "1", "2"]


def test_media_go_along_with_a_batch_however_many_they_are(api: Api, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(40)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with Client(api.url) as touchstone:
        batch = touchstone.batch(media=[*paths[1:], ("press/a.jpg", b"a"), ("b.jpg", paths[0])], key="once")
        assert (
            touchstone.batch(media=[*paths[1:], ("press/a.jpg", b"a"), ("b.jpg", paths[0])], key="once")
            == batch
        )
        for _ in range(2):
            api.work_batch()
        assert touchstone.wait_batch(batch["id"])["state"] == "done"
        names = [item["name"] for item in touchstone.batch_items(batch["id"])]
        assert names == [*(path.name for path in paths[1:]), "press/a.jpg", "b.jpg"]
        assert touchstone.results(batch["id"]).count(b"\n") == 42
        assert touchstone.retry_batch(batch["id"]) == 0
        assert touchstone.changes(batch["id"], "jsonl") == b""
        assert touchstone.rescan() is None


def test_a_scan_by_address_its_report_and_its_rerun(start: StartApi) -> None:
    api = start(fetch_web=True)

    async def story() -> None:
        async with AsyncClient(api.url) as touchstone:
            named = await touchstone.submit("https://example.org/photo.jpg", client_ref="desk 4")
            assert (named["name"], named["client_ref"]) == ("https://example.org/photo.jpg", "desk 4")
            await touchstone.call("POST", f"/v1/scans/{named['id']}/cancel")
            scan = await touchstone.submit(b"bytes", name="a.jpg")
            api.work()
            assert (await touchstone.report(scan["id"])).startswith(b"%PDF-")
            assert (await touchstone.report(scan["id"], "html")).startswith(b"<!doctype html>")
            assert (await touchstone.rerun(scan["id"]))["sha256"] == scan["sha256"]

    asyncio.run(story())


def test_what_the_server_refuses_is_an_error_with_its_reason(api: Api) -> None:
    with Client(api.url) as touchstone:
        with pytest.raises(ApiRefused, match="There is no job") as refused:
            touchstone.wait("nosuch")
        assert (refused.value.reason, refused.value.status) == ("no_such_job", 404)
        with pytest.raises(ApiRefused):
            list(touchstone.events("nosuch"))
        with pytest.raises(ApiRefused, match="colour"):
            touchstone.submit(b"bytes", colour="red")


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    with Client("http://127.0.0.1:9") as touchstone, pytest.raises(ApiUnreachable, match="does not answer"):
        touchstone.call("GET", "/v1/limits")
    with Client("http://127.0.0.1:9") as touchstone, pytest.raises(ApiUnreachable, match="does not answer"):
        list(touchstone.events("any"))


@pytest.mark.parametrize(("after", "asked"), [("8640", 1), ("Wed, 25 Nov 2026 03:00:00 GMT", 4)])
def test_a_quota_of_the_day_is_said_and_not_slept_through(
    monkeypatch: pytest.MonkeyPatch, after: str, asked: int
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(429, headers={"Retry-After": after})

    touchstone = Client()
    touchstone._http = httpx.Client(base_url="http://x", transport=httpx.MockTransport(refuse))
    with touchstone, pytest.raises(ApiRefused, match="429"):
        touchstone.call("GET", "/v1/scans")
    assert len(seen) == asked


def test_what_failed_in_passing_is_asked_again_under_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.001)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) == 1:
            raise httpx.ConnectError("cut", request=request)
        if len(seen) == 2:
            return httpx.Response(503, headers={"Retry-After": "0"})
        return httpx.Response(202, json={"id": "1"})

    touchstone = Client()
    touchstone._http = httpx.Client(base_url="http://x", transport=httpx.MockTransport(answer))
    with touchstone:
        assert touchstone.submit(b"bytes") == {"id": "1"}
    keys = {request.headers["idempotency-key"] for request in seen}
    assert (len(seen), len(keys)) == (3, 1)


def test_a_server_that_will_not_have_it_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "0"})

    touchstone = Client()
    touchstone._http = httpx.Client(base_url="http://x", transport=httpx.MockTransport(refuse))
    with touchstone, pytest.raises(ApiRefused, match="429") as refused:
        touchstone.call("GET", "/v1/scans")
    assert refused.value.status == 429
