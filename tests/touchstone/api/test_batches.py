"""Batches over HTTP: a row in, a row out, whatever is wrong with the others."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from touchstone.report.csv import COLUMNS
from worker.requests import SHARD_ITEMS


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder of the server that batches may name, with a file outside it and a link that leads there."""
    folder = tmp_path / "archive"
    (folder / "2020").mkdir(parents=True)
    for name in ("2020/b.jpg", "a.jpg", "c.jpg"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "outside.jpg").write_bytes(b"outside")
    (folder / "z-link.jpg").symlink_to(tmp_path / "outside.jpg")
    return folder


@pytest.fixture
def api(start: StartApi, archive: Path) -> Api:
    return start(folders=str(archive))


def manifest(api: Api, text: str | bytes, **fields: str) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return api.http.post("/v1/batches", files={"file": ("manifest", data)}, data=fields)


def items(api: Api, batch: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = api.http.get(f"/v1/batches/{batch}/items", params=params).json()
        found += page["items"]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


def test_a_bad_row_is_a_row_with_its_reason_and_the_rest_runs(api: Api) -> None:
    known = api.upload().json()["sha256"]
    answer = manifest(
        api,
        f"path,sha256,client_ref\na.jpg,,1\n,{known},2\n,{'0' * 64},3\n../outside.jpg,,4\n,,5\nx,{known},6\n",
        folder=str(api.service.settings.batch_folders[0]),
        name="night",
    )
    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    assert (batch["name"], batch["total"], batch["done"], batch["priority"]) == ("night", 6, 0, "batch")

    api.work_batch()

    batch = api.http.get(answer.headers["location"]).json()
    assert (batch["state"], batch["done"], batch["failed"]) == ("done", 6, 4)
    assert batch["counts"] == {"fake": 2, "real": 0, "uncertain": 0, "none": 4}
    rows = items(api, batch["id"])
    assert [row["client_ref"] for row in rows] == list("123456")
    assert [row["report"]["status"] for row in rows] == ["ok", "ok", *["unable"] * 4]
    assert "handed in no medium" in rows[2]["report"]["reason"]["message"]
    assert "no folder that batches may name" in rows[3]["report"]["reason"]["message"]


@pytest.mark.parametrize("form", ["jsonl", "json", "body"])
def test_a_manifest_may_be_jsonl_or_json_too(api: Api, archive: Path, form: str) -> None:
    rows: list[Any] = [{"path": str(archive / "a.jpg"), "name": "A"}, {"path": 7}, {"colour": "red"}]
    if form == "body":
        answer = api.http.post("/v1/batches", json={"items": rows})
    elif form == "json":
        answer = manifest(api, json.dumps([*rows, 3]))
    else:
        answer = manifest(api, "\n".join([*map(json.dumps, rows), "{", ""]))
    api.work_batch()
    found = items(api, answer.json()["id"])
    assert [row["name"] for row in found[:2]] == ["A", "7"]
    assert [row["report"]["status"] for row in found] == ["ok", *["unable"] * (len(found) - 1)]


@pytest.mark.parametrize(
    "text",
    ["", "colour\nred\n", "path,colour\na,red\n", b"\xff\xfe\x00", "path\n", "[1", "path\n" + "x" * 200_000],
)
def test_what_is_no_manifest_is_refused_and_leaves_nothing(api: Api, text: str | bytes) -> None:
    answer = manifest(api, text)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.http.get("/v1/batches").json()["items"] == []


def test_a_manifest_does_not_stay_among_the_media(api: Api, archive: Path) -> None:
    manifest(api, f"path\n{archive}/a.jpg\n")
    assert [path for path in api.service.media.folder.rglob("*") if path.is_file()] == []


def test_a_folder_is_taken_in_by_name_and_links_out_of_it_are_not_followed(api: Api, archive: Path) -> None:
    batch = api.http.post("/v1/batches", json={"folder": str(archive)}).json()
    api.work_batch()
    rows = items(api, batch["id"])
    assert [row["name"] for row in rows] == ["2020/b.jpg", "a.jpg", "c.jpg", "z-link.jpg"]
    assert [row["report"]["status"] for row in rows] == ["ok", "ok", "ok", "unable"]


@pytest.mark.parametrize("folder", ["/", "/etc", "..", "nosuch\x7f", "relative"])
def test_a_folder_outside_is_refused(api: Api, folder: str) -> None:
    answer = api.http.post("/v1/batches", json={"folder": folder})
    assert answer.status_code == 422


def test_no_folder_may_be_named_unless_the_settings_say_so(start: StartApi, archive: Path) -> None:
    api = start()
    problem(api.http.post("/v1/batches", json={"folder": str(archive)}), 422, "usage")
    problem(api.http.post("/v1/batches", json={}), 400, "bad_request")
    problem(api.http.post("/v1/batches", json={"items": []}), 422, "usage")


def test_a_long_batch_is_read_page_by_page_filtered_and_downloaded(api: Api) -> None:
    sha256 = api.upload().json()["sha256"]
    count = 2 * SHARD_ITEMS + 5
    rows = [{"sha256": sha256, "name": f"{n}.jpg", "client_ref": str(n)} for n in range(count)]
    rows[3] = {"sha256": "0" * 64}
    batch = api.http.post("/v1/batches", json={"items": rows}).json()["id"]
    api.work_batch()
    api.work_batch(dead=True)
    found = items(api, batch, limit=7)
    assert [row["position"] for row in found] == list(range(count))
    assert [row["state"] for row in found] == [
        *["done"] * SHARD_ITEMS, *["failed"] * SHARD_ITEMS, *["queued"] * 5
    ]  # fmt: skip
    assert [row["position"] for row in items(api, batch, verdict="fake", limit=9)] == [
        n for n in range(SHARD_ITEMS) if n != 3
    ]
    assert len(items(api, batch, status="unable")) == SHARD_ITEMS + 1
    assert found[SHARD_ITEMS]["error"] == {"code": "worker_lost", "message": "It died."}

    table = list(csv.reader(io.StringIO(api.http.get(f"/v1/batches/{batch}/results.csv").text)))
    assert table[0] == [*COLUMNS, "client_ref"]
    assert [row[0] for row in table[1:3]] == ["0.jpg", "1.jpg"]
    assert len(table) == 1 + 2 * SHARD_ITEMS
    typed = pyarrow.parquet.read_table(
        io.BytesIO(api.http.get(f"/v1/batches/{batch}/results.parquet").content)
    )
    assert typed.column("path").to_pylist() == [row[0] for row in table[1:]]
    lines = api.http.get(f"/v1/batches/{batch}/results.jsonl").text.splitlines()
    assert [json.loads(line)["status"] for line in lines].count("unable") == SHARD_ITEMS + 1

    stand = api.http.get(f"/v1/batches/{batch}").json()
    assert (stand["total"], stand["done"], stand["failed"]) == (count, SHARD_ITEMS, SHARD_ITEMS + 1)
    assert (stand["retriable"], stand["links"]["retry"]) == (SHARD_ITEMS, f"/v1/batches/{batch}/retry")
    assert api.http.post(f"/v1/batches/{batch}/retry").json() == {"retried": SHARD_ITEMS}
    assert api.http.get(f"/v1/batches/{batch}").json()["failed"] == 1
    assert api.http.post(f"/v1/batches/{batch}/cancel").json()["state"] == "cancelled"
    assert api.http.get(f"/v1/batches/{batch}").json()["done"] == SHARD_ITEMS


def test_a_batch_with_a_key_is_accepted_once_and_deleted_whole(api: Api) -> None:
    sha256 = api.upload().json()["sha256"]
    body = {"items": [{"sha256": sha256}]}
    made = {
        api.http.post("/v1/batches", json=body, headers={"Idempotency-Key": "k"}).json()["id"]
        for _ in range(2)
    }
    assert len(made) == 1
    (batch,) = made
    other = api.http.post(
        "/v1/batches", json={"items": [{"sha256": sha256}] * 2}, headers={"Idempotency-Key": "k"}
    )
    problem(other, 409, "key_conflict")
    assert api.http.delete(f"/v1/batches/{batch}").json()["deleted"]
    problem(api.http.get(f"/v1/batches/{batch}"), 404, "no_such_job")
    problem(api.http.get(f"/v1/scans/{batch}"), 404, "no_such_job")


def test_media_that_come_along_are_the_batch_under_the_names_they_came_with(api: Api) -> None:
    files = [("media", (name, name.encode())) for name in ("press/a.jpg", "press/b.jpg", "b.jpg")]
    answer = api.http.post("/v1/batches", files=files, data={"name": "press"})
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert (batch["name"], batch["total"]) == ("press", 3)

    api.work_batch()

    found = items(api, batch["id"])
    assert [item["name"] for item in found] == ["press/a.jpg", "press/b.jpg", "b.jpg"]
    assert {item["state"] for item in found} == {"done"}
    api.http.delete(f"/v1/batches/{batch['id']}")
    assert [path for path in api.service.media.folder.rglob("*") if path.is_file()] == []


def test_a_form_has_a_manifest_or_media(api: Api) -> None:
    both = [("file", ("m.csv", b"sha256\n")), ("media", ("a.jpg", b"a"))]
    for files in (both, [("media", ("", b""))]):
        problem(api.http.post("/v1/batches", files=files), 400, "bad_request")
