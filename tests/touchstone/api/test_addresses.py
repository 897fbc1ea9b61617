"""Scans and batches of what lies elsewhere: who may name what, and what is refused at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from touchstone.api import manifests

URL = "https://example.org/photos/cat.jpg"


@pytest.fixture
def web(start: StartApi, tmp_path: Path) -> Api:
    return start(fetch_web=True, places="s3://archive/2026 s3://more/", folders=str(tmp_path))


def names(api: Api, rows: list[dict[str, str]], **more: Any) -> list[str]:
    """What is wrong with each row of a batch, or the address it is fetched from."""
    batch = api.http.post("/v1/batches", json={"items": rows, **more}).json()
    (shard,) = api.service.store.shards(batch["id"])
    return [item.get("problem") or item["path"] for item in shard.payload["items"]]


def test_an_address_is_refused_unless_it_is_switched_on(api: Api) -> None:
    answer = api.http.post("/v1/scans", json={"url": URL})
    assert "TOUCHSTONE_FETCH_WEB" in problem(answer, 422, "usage")["advice"]
    assert "TOUCHSTONE_FETCH_WEB" in names(api, [{"path": URL}])[0]


def test_a_scan_by_address_is_accepted_and_knows_its_medium_at_its_end(web: Api) -> None:
    answer = web.http.post("/v1/scans", json={"url": URL, "client_ref": "desk 4"})
    assert answer.status_code == 202
    scan = answer.json()
    assert (scan["name"], scan["sha256"], scan["size_bytes"], scan["links"]["media"]) == (URL, "", 0, None)
    problem(web.http.get(f"/v1/scans/{scan['id']}/media"), 404, "no_such_medium")
    lease = web.claim()
    assert lease.payload["url"] == URL
    sha256 = hashlib.sha256(b"it").hexdigest()
    report = web.report.to_dict() | {"id": lease.job}
    report["media"] = report["media"] | {"path": URL, "sha256": sha256, "size_bytes": 2}
    assert web.service.leases.complete(lease, {"report": report, "heat": False, "preview": False})
    done = web.http.get(f"/v1/scans/{scan['id']}").json()
    assert (done["state"], done["sha256"], done["size_bytes"]) == ("done", sha256, 2)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png", "http://localhost:8700/v1/scans", "http://[::1]/a.png", "http://10.1.2.3/a",
        "http://169.254.169.254/latest/meta-data", "https://user:word@example.org/a.png", "ftp://example.org/a",
        "file:///etc/passwd", "http://2130706433/", "https://ex ample.org/",
    ],
)  # fmt: skip
def test_an_address_that_would_never_be_fetched_is_refused_at_once(web: Api, url: str) -> None:
    assert problem(web.http.post("/v1/scans", json={"url": url}), 422, "usage")["advice"]
    assert web.http.get("/v1/scans").json()["items"] == []


def test_a_scan_names_one_medium(web: Api) -> None:
    for body in ({}, {"url": URL, "sha256": "0" * 64}):
        problem(web.http.post("/v1/scans", json=body), 422, "invalid")


def test_a_batch_names_what_lies_in_its_places_alone(web: Api, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"a")
    found = names(
        web,
        [
            {"path": "s3://archive/2026/a.png"}, {"path": "s3://more/b.png"}, {"path": URL},
            {"path": f"file://{tmp_path}/a.png"},
            {"path": "s3://archive/20260/a.png"}, {"path": "s3://archive/2026/../a.png"}, {"path": "gs://a/b"},
            {"path": "file:///etc/passwd"},
        ],
    )  # fmt: skip
    assert found[:4] == ["s3://archive/2026/a.png", "s3://more/b.png", URL, str(tmp_path / "a.png")]
    assert all("that batches may name" in said for said in found[4:])


def test_a_folder_may_be_a_place(web: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        manifests, "list_place", lambda place, _: iter([f"{place}/a.png", f"{place}/b/c.png"])
    )
    batch = web.http.post("/v1/batches", json={"folder": "s3://archive/2026/"}).json()
    (shard,) = web.service.store.shards(batch["id"])
    assert [(item["name"], item["path"]) for item in shard.payload["items"]] == [
        ("a.png", "s3://archive/2026/a.png"),
        ("b/c.png", "s3://archive/2026/b/c.png"),
    ]
    assert names(web, [{"path": "d.png"}], folder="s3://archive/2026") == ["s3://archive/2026/d.png"]
    problem(web.http.post("/v1/batches", json={"folder": "s3://archive"}), 422, "usage")
