"""Webhooks over HTTP: made, named by a scan, owed a message at its end, and sent again."""

from __future__ import annotations

from tests.api_service import Api, problem


def test_a_webhook_is_made_with_a_secret_that_is_shown_once(api: Api) -> None:
    made = api.http.post("/v1/webhooks", json={"url": "https://desk.example/hook"})
    hook = made.json()
    assert made.status_code == 201
    assert hook["secret"].startswith("whsec_")
    assert [one["url"] for one in api.http.get("/v1/webhooks").json()["items"]] == [hook["url"]]
    assert "secret" not in api.http.get(f"/v1/webhooks/{hook['id']}").json()
    rotated = api.http.post(f"/v1/webhooks/{hook['id']}/rotate").json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != hook["secret"]
    assert api.http.delete(f"/v1/webhooks/{hook['id']}").json()["deleted"]
    for answer in (
        api.http.get(f"/v1/webhooks/{hook['id']}"),
        api.http.delete(f"/v1/webhooks/{hook['id']}"),
        api.http.get(f"/v1/webhooks/{hook['id']}/deliveries"),
    ):
        problem(answer, 404, "no_such_webhook")


def test_the_end_of_a_scan_is_owed_to_the_webhook_it_names(api: Api) -> None:
    hook = api.http.post("/v1/webhooks", json={"url": "https://desk.example/hook"}).json()["id"]
    scan = api.upload(webhook=hook).json()["id"]
    api.upload(b"another")
    path = f"/v1/webhooks/{hook}/deliveries"
    assert api.http.get(path).json()["items"] == []
    api.work()
    api.work()
    (owed,) = api.http.get(path).json()["items"]
    assert (owed["job"], owed["kind"], owed["state"], owed["attempts"]) == (scan, "scan.done", "pending", 0)
    again = api.http.post(f"{path}/{owed['id']}/redeliver")
    assert (again.status_code, again.json()["items"][0]["id"]) == (202, owed["id"])
    problem(api.http.post(f"{path}/msg_none/redeliver"), 404, "no_such_webhook")


def test_a_webhook_that_is_none_is_refused_when_it_is_named(api: Api) -> None:
    problem(api.upload(webhook="nosuch"), 422, "usage")
    known = api.upload().json()["sha256"]
    problem(api.http.post("/v1/batches", json={"items": [{"sha256": known}], "webhook": "x"}), 422, "usage")
    for url in (
        "ftp://desk.example",
        "desk.example",
        "https://user@desk.example",
        "https://",
        "http://127.1/x",
    ):
        problem(api.http.post("/v1/webhooks", json={"url": url}), 422, "usage")
