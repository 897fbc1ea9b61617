"""Scans over HTTP: from the upload to the report, and back to nothing."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.api_service import Api, problem


def files(api: Api) -> list[Path]:
    found = [path for path in api.service.media.folder.rglob("*") if path.is_file()]
    return [path for path in found if path.parent.name != "journals"]


def test_an_upload_is_accepted_scanned_and_read(api: Api) -> None:
    answer = api.upload(b"a picture", "cat.jpg", client_ref="desk 4", priority="batch")
    scan = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/scans/{scan['id']}"
    assert answer.headers["retry-after"] == "1"
    assert (scan["state"], scan["name"], scan["client_ref"]) == ("queued", "cat.jpg", "desk 4")
    assert (scan["priority"], scan["report"], scan["links"]["heat"]) == ("batch", None, None)
    assert scan["sha256"] == hashlib.sha256(b"a picture").hexdigest()

    api.work()

    scan = api.http.get(answer.headers["location"]).json()
    assert (scan["state"], scan["verdict"], scan["status"]) == ("done", "fake", "ok")
    assert scan["report"]["media"]["path"] == "cat.jpg"
    assert scan["report"]["id"] == scan["id"]
    assert scan["links"]["heat"] == f"/v1/scans/{scan['id']}/heat.png"


def test_a_medium_that_is_known_needs_no_upload(api: Api) -> None:
    first = api.upload(b"a picture", "cat.jpg").json()
    answer = api.http.post("/v1/scans", json={"sha256": first["sha256"]})
    assert answer.status_code == 202
    assert answer.json()["name"] == "cat.jpg"
    known = api.http.get(f"/v1/media/{first['sha256']}").json()
    assert (known["size_bytes"], len(known["scans"])) == (9, 2)
    assert api.http.head(f"/v1/media/{first['sha256']}").status_code == 200
    unknown = "0" * 64
    problem(api.http.get(f"/v1/media/{unknown}"), 404, "no_such_medium")
    problem(api.http.post("/v1/scans", json={"sha256": unknown}), 404, "no_such_medium")


def test_asking_twice_with_a_key_is_asking_once(api: Api) -> None:
    once = api.upload(headers={"Idempotency-Key": "k1"}).json()
    again = api.upload(headers={"Idempotency-Key": "k1"}).json()
    assert once["id"] == again["id"]
    assert len(api.http.get("/v1/scans").json()["items"]) == 1
    problem(api.upload(b"another", headers={"Idempotency-Key": "k1"}), 409, "key_conflict")


def test_a_list_is_read_page_by_page_newest_first_and_filtered(api: Api) -> None:
    made = [api.upload(name=f"{n}.jpg").json()["id"] for n in range(5)]
    api.work()
    seen, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.http.get("/v1/scans", params=params).json()
        seen += [item["id"] for item in page["items"]]
        assert all("report" not in item for item in page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]
    for params, expected in (
        ({"state": "done"}, [made[0]]), ({"verdict": "fake"}, [made[0]]), ({"name": "3.J"}, [made[3]]),
        ({"verdict": "real"}, []),
    ):  # fmt: skip
        assert [item["id"] for item in api.http.get("/v1/scans", params=params).json()["items"]] == expected


@pytest.mark.parametrize("cursor", ["x", "!!!", "bnVsbA", "WzEsMl0", "W251bGwsIngiXQ", "WyJOYU4iLCJ4Il0"])
def test_a_cursor_that_is_not_ours_is_refused(api: Api, cursor: str) -> None:
    problem(api.http.get("/v1/scans", params={"cursor": cursor}), 400, "bad_request")


def test_deleting_a_scan_takes_its_files_too_unless_another_needs_them(api: Api) -> None:
    one, two = api.upload().json()["id"], api.upload().json()["id"]
    api.work()
    assert len(files(api)) == 3
    assert api.http.delete(f"/v1/scans/{one}").json() == {"id": one, "deleted": True}
    assert len(files(api)) == 1
    problem(api.http.get(f"/v1/scans/{one}"), 404, "no_such_job")
    problem(api.http.delete(f"/v1/scans/{one}"), 404, "no_such_job")
    api.http.delete(f"/v1/scans/{two}")
    assert files(api) == []


def test_a_scan_is_cancelled_and_run_again(api: Api) -> None:
    first = api.upload(client_ref="desk 4", max_frames=3).json()
    problem(api.http.post(f"/v1/scans/{first['id']}/rerun"), 422, "usage")
    cancelled = api.http.post(f"/v1/scans/{first['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert api.http.post(f"/v1/scans/{first['id']}/cancel").json()["state"] == "cancelled"
    again = api.http.post(f"/v1/scans/{first['id']}/rerun", json={"model": "colour"})
    assert again.status_code == 202
    assert again.json()["id"] != first["id"]
    assert again.json()["client_ref"] == "desk 4"
    assert api.service.store.get(again.json()["id"]).request["max_frames"] == 3
    assert api.service.store.get(again.json()["id"]).request["model"] == "colour"


def test_an_etag_spares_what_did_not_change(api: Api) -> None:
    scan = api.upload().json()["id"]
    tag = api.http.get(f"/v1/scans/{scan}").headers["etag"]
    assert api.http.get(f"/v1/scans/{scan}", headers={"If-None-Match": tag}).status_code == 304
    api.work()
    changed = api.http.get(f"/v1/scans/{scan}", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_a_dead_scan_says_why(api: Api) -> None:
    scan = api.upload().json()["id"]
    api.service.leases.fail(api.claim(), {"code": "decoder_crashed", "message": "It died."}, final=True)
    found = api.http.get(f"/v1/scans/{scan}").json()
    assert (found["state"], found["report"]) == ("failed", None)
    assert found["error"] == {"code": "decoder_crashed", "message": "It died."}


def test_retention_is_what_was_asked_or_what_the_settings_say(api: Api) -> None:
    for asked, kept in ((0, 0.0), (60, 60.0), (None, 30 * 86_400.0)):
        options = {} if asked is None else {"retention_seconds": asked}
        api.upload(name=f"{asked}.jpg", **options)
        api.work()
        assert api.service.store.sweep() == (1 if kept == 0 else 0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"colour": "red"}, "colour"), ({"priority": "now"}, "priority"), ({"max_frames": "0"}, "max_frames"),
        ({"every_seconds": "nan"}, "every_seconds"), ({"client_ref": "x" * 257}, "client_ref"),
        ({"client_ref": "a\tb"}, "client_ref"), ({"retention_seconds": "-1"}, "retention_seconds"),
    ],
)  # fmt: skip
def test_a_field_that_is_unknown_or_wrong_is_named(api: Api, fields: dict[str, str], field: str) -> None:
    body = problem(api.upload(**fields), 422, "invalid")
    assert [one["field"] for one in body["errors"]] == [field]
    assert api.http.get("/v1/scans").json()["items"] == []


def test_a_model_that_is_not_installed_or_is_a_path_is_refused(api: Api, models_folder: Path) -> None:
    for model in ("nosuch", str(models_folder / "colour.onnx")):
        problem(api.upload(model=model), 422, "model_not_found")
    assert api.upload(model="colour").status_code == 202


def test_what_a_scan_left_is_fetched_piece_by_piece(api: Api) -> None:
    scan = api.upload(b"a picture", "cat.jpg").json()["id"]
    for piece in (
        "heat.png",
        "preview.jpg",
        "report.html",
        "report.pdf",
        "report.json",
        "frames.json",
        "frames.csv",
        "frames.parquet",
    ):
        problem(api.http.get(f"/v1/scans/{scan}/{piece}"), 404, "not_there")
    api.work()
    assert api.http.get(f"/v1/scans/{scan}/heat.png").content == b"heat.png"
    report = api.http.get(f"/v1/scans/{scan}/report.json").json()
    assert report["provenance"].pop("log")["entry"]["verdict"] == "fake"
    assert report == api.http.get(f"/v1/scans/{scan}").json()["report"]
    assert api.http.get(f"/v1/scans/{scan}/frames.json").json() == {"items": [], "segments": []}
    assert api.http.get(f"/v1/scans/{scan}/frames.csv").text == "t,frame,fake_probability\r\n"
    frames = pyarrow.parquet.read_table(io.BytesIO(api.http.get(f"/v1/scans/{scan}/frames.parquet").content))
    assert (frames.num_rows, frames.column_names) == (0, ["t", "frame", "fake_probability"])
    printed = api.http.get(f"/v1/scans/{scan}/report.pdf")
    assert (printed.headers["content-type"], printed.content[:5]) == ("application/pdf", b"%PDF-")
    page = api.http.get(f"/v1/scans/{scan}/report.html")
    assert "cat.jpg" in page.text
    assert "sandbox" in page.headers["content-security-policy"]
    part = api.http.get(f"/v1/scans/{scan}/media", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"pic", "image/png")
    assert part.headers["x-content-type-options"] == "nosniff"
    assert part.headers["content-disposition"] == "inline"


@pytest.mark.parametrize(
    ("asked", "status"), [("bytes=x", 400), ("lines=1-2", 400), ("bytes=900-", 416), ("bytes=5-2", 400)]
)
def test_a_range_that_cannot_be_had_is_a_problem(api: Api, asked: str, status: int) -> None:
    scan = api.upload(b"a picture").json()["id"]
    api.work()
    for name in ("media", "heat.png", "preview.jpg"):
        answer = api.http.get(f"/v1/scans/{scan}/{name}", headers={"Range": asked})
        assert asked in problem(answer, status, "bad_range")["detail"]
        size = len(api.http.get(f"/v1/scans/{scan}/{name}").content)
        assert answer.headers.get("content-range") == (f"bytes */{size}" if status == 416 else None)


def test_a_medium_that_is_no_picture_is_only_ever_saved(api: Api) -> None:
    scan = api.upload(b"<script>alert(1)</script>", "x.html").json()["id"]
    answer = api.http.get(f"/v1/scans/{scan}/media")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"


def test_scans_without_a_verdict_and_of_a_day_are_found(api: Api) -> None:
    api.upload(b"one")
    api.work()
    failed = api.upload(b"two").json()
    api.service.leases.fail(api.claim(), {"code": "decoder_crashed", "message": "It died."}, final=True)
    api.upload(b"three")

    def found(**asked: str) -> list[str]:
        return [scan["id"] for scan in api.http.get("/v1/scans", params=asked).json()["items"]]

    assert found(verdict="none") == [failed["id"]]
    assert len(found(since=failed["created"])) == 2
    assert len(found(until=failed["created"])) == 1
    assert found(since="2999-01-01T00:00:00Z") == []
    problem(api.http.get("/v1/scans", params={"since": "yesterday"}), 422, "invalid")
