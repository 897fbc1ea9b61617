"""Uploads that are too large, broken, cut off or badly named: refused in time, and nothing stays behind."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from tests.worker_service import wait_for
from worker.receiving import HELD_BYTES

B = "----b"
HEAD = f'--{B}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'.encode()
TAIL = f"\r\n--{B}--\r\n".encode()
FORM = {"Content-Type": f"multipart/form-data; boundary={B}"}


def files(api: Api) -> list[Path]:
    found = [path for path in api.service.media.folder.rglob("*") if path.is_file()]
    return [path for path in found if path.parent.name != "journals"]


def post(api: Api, body: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    return api.http.post("/v1/scans", content=body, headers=FORM | headers)


def chunks(size: int, count: int) -> Iterator[bytes]:
    yield HEAD
    for _ in range(count):
        yield b"x" * size
    yield TAIL


def test_a_chunked_body_over_the_cap_is_refused_whatever_its_headers_say(start: StartApi) -> None:
    api = start(max_bytes=1_000_000)
    problem(post(api, chunks(300_000, 4)), 413, "too_large")
    assert files(api) == []
    assert post(api, chunks(250_000, 4)).status_code == 202


def test_an_announced_body_over_the_cap_is_refused_before_it_is_read(start: StartApi) -> None:
    api = start(max_bytes=1_000)
    problem(api.upload(b"x" * 3_000_000), 413, "too_large")
    assert files(api) == []


@pytest.mark.parametrize("kind", ["image/jpeg", "video/mp4", "application/octet-stream", "Image/PNG; q=1"])
def test_a_medium_may_be_the_body_with_its_fields_in_the_query(api: Api, kind: str) -> None:
    asked = {"name": "a.jpg", "client_ref": "desk 4", "priority": "low"}

    answer = api.http.post("/v1/scans", params=asked, content=b"bytes", headers={"Content-Type": kind})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/scans/{answer.json()['id']}"
    assert {name: answer.json()[name] for name in asked} == asked
    assert answer.json()["sha256"] == hashlib.sha256(b"bytes").hexdigest()
    assert answer.json() == api.http.get(answer.headers["location"]).json()


def test_a_body_without_a_name_is_called_by_its_sum_and_a_large_one_is_kept_whole(api: Api) -> None:
    data = os.urandom(2 * HELD_BYTES + 1)

    scan = api.http.post("/v1/scans", content=data, headers={"Content-Type": "image/png"}).json()

    assert scan["name"] == scan["sha256"] == hashlib.sha256(data).hexdigest()
    assert api.http.get(f"/v1/scans/{scan['id']}/media").content == data


def test_a_body_over_the_cap_is_refused_announced_or_not_and_leaves_nothing(start: StartApi) -> None:
    api = start(max_bytes=1_000)
    kind = {"Content-Type": "image/jpeg"}

    problem(api.http.post("/v1/scans", content=b"x" * 1_001, headers=kind), 413, "too_large")
    problem(api.http.post("/v1/scans", content=chunks(600, 2), headers=kind), 413, "too_large")

    assert files(api) == []


@pytest.mark.parametrize("kind", ["image/jpeg", "application/json", "form"])
def test_a_field_of_the_query_counts_for_every_kind_of_body_and_a_wrong_one_is_named(
    api: Api, kind: str
) -> None:
    sha256 = api.upload().json()["sha256"]
    bodies: dict[str, dict[str, Any]] = {
        "image/jpeg": {"content": b"x", "headers": {"Content-Type": "image/jpeg"}},
        "application/json": {"json": {"sha256": sha256, "name": "mine"}},
        "form": {"files": {"file": b"x"}, "data": {"name": "mine"}},
    }

    answer = api.http.post("/v1/scans?client_ref=desk&name=theirs&other=1", **bodies[kind]).json()

    assert answer["client_ref"] == "desk"
    assert answer["name"] == ("theirs" if kind == "image/jpeg" else "mine")
    wrong = problem(api.http.post("/v1/scans?max_frames=no", **bodies[kind]), 422, "invalid")
    assert wrong["errors"][0]["field"] == "max_frames"


@pytest.mark.parametrize("header", ["Idempotency-Key", "Prefer"])
def test_a_header_that_is_too_long_is_named(api: Api, header: str) -> None:
    answer = post(api, HEAD + b"x" + TAIL, **{header: "x" * 201})
    assert problem(answer, 422, "invalid")["errors"][0]["field"] == f"header.{header.lower()}"


def test_a_name_is_shown_and_never_a_path(api: Api) -> None:
    for name in ("../../etc/passwd", "C:\\boot.ini", "a\x00b\r\nc", "ü" * 500, ".."):
        scan = api.upload(b"a picture", name).json()
        assert scan["name"]
        assert all(ord(letter) >= 32 for letter in scan["name"])
    assert len(files(api)) == 1


def test_a_name_that_is_too_long_is_refused(api: Api) -> None:
    problem(api.upload(name="x" * 1_025), 422, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no form at all", HEAD + b"half", HEAD + b"x" + TAIL.replace(b"--\r\n", b""), TAIL[2:],
        HEAD + b"one\r\n" + HEAD + b"two" + TAIL,
        HEAD.replace(b'name="file"', b'name="other"') + b"x" + TAIL,
        HEAD.replace(b'; name="file"', b"") + b"x" + TAIL,
        b"--" + b"x" * 5_000 + HEAD + b"x" + TAIL,
    ],
)  # fmt: skip
def test_a_form_that_is_broken_is_refused_and_leaves_nothing(api: Api, body: bytes) -> None:
    answer = post(api, body)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert [path for path in files(api) if path.parent.name == "incoming"] == []
    assert api.http.get("/v1/scans").json()["items"] == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 300, ""]
)
def test_a_content_type_that_is_no_form_is_refused(api: Api, kind: str) -> None:
    problem(post(api, HEAD + b"x" + TAIL, **{"Content-Type": kind}), 400, "bad_request")


def test_a_field_that_is_too_large_is_refused(api: Api) -> None:
    problem(api.upload(client_ref="x" * 20_000), 413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"sha256": "x"}', b'{"sha256": 1}', b'{"sha256": "%s", "url": "x"}' % (b"0" * 64)],
)
def test_json_that_is_not_understood_is_refused(api: Api, body: bytes) -> None:
    answer = api.http.post("/v1/scans", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "invalid")


def test_a_client_that_goes_away_leaves_nothing_behind(api: Api) -> None:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            f"POST /v1/scans HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 2000000\r\n"
            f"Content-Type: {FORM['Content-Type']}\r\n\r\n".encode()
        )
        line.sendall(HEAD + b"x" * 600_000)
        wait_for(lambda: len(files(api)) == 1)
    wait_for(lambda: files(api) == [])
    assert api.http.get("/v1/scans").json()["items"] == []


def test_a_full_disk_is_507_and_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("worker.media.os.fsync", refuse)
        problem(api.upload(), 507, "store_full")
    assert files(api) == []
    assert api.upload().status_code == 202


def test_a_disk_that_is_nearly_full_takes_nothing_more(start: StartApi) -> None:
    api = start(free_bytes=2**60)
    problem(api.upload(), 507, "store_full")
    assert files(api) == []
    assert api.http.get("/readyz").json()["checks"]["disk"] == "store_full"
