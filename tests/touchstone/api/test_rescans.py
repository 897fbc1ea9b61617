"""A re-scan over HTTP: once, for whoever may, and what changed as a table."""

from __future__ import annotations

import csv
import io
import json

from tests.api_service import Api, problem
from tests.touchstone.api.test_access import client
from touchstone.report.changes import COLUMNS


def outdate(api: Api) -> str:
    """A scan whose report is by a detector of old that called it real."""
    scan: str = api.upload().json()["id"]
    api.work()
    (shard,) = api.service.store.shards(scan)
    result = dict(shard.result or {})
    report = result["report"]
    result["report"] = report | {"verdict": "real", "models": [{**report["models"][0], "sha256": "0" * 64}]}
    with api.service.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE shards SET result = ? WHERE job = ?", (json.dumps(result), scan))
    return scan


def test_what_an_old_detector_said_is_scanned_again_and_compared(api: Api) -> None:
    assert api.http.post("/v1/rescans").status_code == 204
    outdate(api)

    answer = api.http.post("/v1/rescans", json={})
    batch = answer.json()
    assert (answer.status_code, batch["total"], batch["priority"]) == (202, 1, "low")
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert api.http.post("/v1/rescans").json()["id"] == batch["id"]
    sha256 = api.http.get("/v1/scans").json()["items"][0]["sha256"]
    (lease,) = api.service.leases.claim("test", ["batch"])
    plain = api.report.to_dict()
    row = plain | {"media": plain["media"] | {"path": "cat.jpg", "sha256": sha256}}
    api.service.leases.complete(lease, {"rows": [row]})

    table = list(csv.reader(io.StringIO(api.http.get(f"/v1/batches/{batch['id']}/changes.csv").text)))
    assert table[0] == list(COLUMNS)
    assert table[1][:5] == ["cat.jpg", "", sha256, "real", "fake"]
    (line,) = api.http.get(f"/v1/batches/{batch['id']}/changes.jsonl").text.splitlines()
    assert json.loads(line)["after"] == "fake"
    assert api.http.post("/v1/rescans").status_code == 204


def test_only_an_admin_begins_it(api: Api) -> None:
    with client(api, "red", "read", "write") as red:
        problem(red.post("/v1/rescans"), 403, "scope_missing")
    with client(api, "red", "admin") as red:
        problem(red.post("/v1/rescans", json={"model": "nobody"}), 422, "model_not_found")
        assert red.post("/v1/rescans").status_code == 204
