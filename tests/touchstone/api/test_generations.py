"""Generations over HTTP: asked for, made by the real worker code, fetched file by file."""

from __future__ import annotations

import json

from tests.api_service import Api, problem
from worker.generating import generate
from worker.requests import GenerateRequest


def test_pictures_are_asked_for_made_and_fetched(api: Api) -> None:
    wish = {"model": "cgan-mnist", "count": 2, "seed": 5, "classes": ["3"], "client_ref": "desk"}
    answer = api.http.post("/v1/generations", json=wish, headers={"Idempotency-Key": "k"})
    made = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/generations/{made['id']}"
    assert (made["state"], made["files"], made["client_ref"]) == ("queued", [], "desk")
    again = api.http.post("/v1/generations", json=wish, headers={"Idempotency-Key": "k"}).json()
    assert again["id"] == made["id"]

    (lease,) = api.service.leases.claim("test", ["generate"])
    asked = GenerateRequest.from_plain(lease.payload)
    settings, media = api.service.settings, api.service.media
    api.service.leases.complete(lease, generate(lease.job, asked, settings, media, lambda done, of: None))

    found = api.http.get(answer.headers["location"]).json()
    assert (found["state"], len(found["files"])) == ("done", 3)
    picture, _, manifest = (api.http.get(file["url"]) for file in found["files"])
    assert (picture.content[:4], picture.headers["content-type"]) == (b"\x89PNG", "image/png")
    rows = [json.loads(line) for line in manifest.text.splitlines()]
    assert [(row["class"], row["seed"]) for row in rows] == [("3", 5), ("3", 5)]
    assert [one["id"] for one in api.http.get("/v1/generations").json()["items"]] == [made["id"]]
    problem(api.http.get(f"/v1/generations/{made['id']}/files/other.png"), 404, "not_there")
    assert api.http.delete(f"/v1/generations/{made['id']}").json()["deleted"]
    problem(api.http.get(found["files"][0]["url"]), 404, "no_such_job")
    assert [path for path in media.folder.rglob("*") if path.is_file()] == []


def test_what_cannot_be_made_is_refused_at_once(api: Api) -> None:
    for wish, status, code in (
        ({"model": "nosuch"}, 422, "model_not_found"),
        ({"model": "colour"}, 422, "usage"),
        ({"model": "inpainting-photos"}, 422, "usage"),
        ({"model": "cgan-mnist", "count": 0}, 422, "invalid"),
        ({"model": "cgan-mnist", "colour": "red"}, 422, "invalid"),
    ):
        problem(api.http.post("/v1/generations", json=wish), status, code)
    assert api.http.get("/v1/generations").json()["items"] == []


def test_a_generation_is_cancelled(api: Api) -> None:
    made = api.http.post("/v1/generations", json={"model": "cgan-mnist"}).json()["id"]
    assert api.http.post(f"/v1/generations/{made}/cancel").json()["state"] == "cancelled"
    with api.http.stream("GET", f"/v1/generations/{made}/events") as answer:
        assert "event: cancelled" in answer.read().decode()
