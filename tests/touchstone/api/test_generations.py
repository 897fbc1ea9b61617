"""Generations over HTTP: asked for, made by the real worker code, fetched file by file."""

from __future__ import annotations

import json

import numpy as np

from generators.delivery import png
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
    assert (found["state"], found["asked"]) == ("done", {"classes": ["3"]})
    assert [file["role"] for file in found["files"]] == ["made", "made", "manifest"]
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
        ({"model": "inpainting-photos", "input": [{"sha256": "0" * 64}]}, 404, "no_such_medium"),
        ({"model": "tac-gan-faces"}, 422, "usage"),
        ({"model": "stylegan2-faces", "film": "rotation"}, 422, "usage"),
        ({"model": "stylegan2-faces", "film": "interpolation", "count": 65}, 422, "usage"),
        ({"model": "outpainting-photos", "side": ["up"]}, 422, "invalid"),
        ({"model": "inpainting-photos", "box": "1,2,3"}, 422, "invalid"),
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


def test_a_picture_comes_along_with_its_mask_and_is_filled(api: Api) -> None:
    picture, mask = np.full((48, 64, 3), 90, np.uint8), np.zeros((48, 64), np.uint8)
    mask[8:24, 8:40] = 255
    files = {"input": ("desk.png", png(picture)), "mask": ("mask.png", png(mask))}

    answer = api.http.post("/v1/generations", files=files, data={"model": "inpainting-photos", "seed": ""})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert made["asked"]["input"][0]["name"] == "desk.png"
    again = {"model": "reconstruction-haar-x4", "input": made["asked"]["input"]}
    again["input"] = [{"sha256": made["asked"]["input"][0]["sha256"]}]  # a name need not be given
    twin = api.http.post("/v1/generations", json=again)
    assert twin.status_code == 202, twin.text

    settings, media = api.service.settings, api.service.media
    for lease in api.service.leases.claim("test", ["generate"], count=2):
        asked = GenerateRequest.from_plain(lease.payload)
        api.service.leases.complete(lease, generate(lease.job, asked, settings, media, lambda done, of: None))

    found = api.http.get(answer.headers["location"]).json()
    roles = {file["role"]: file for file in found["files"]}
    assert set(roles) == {"made", "mask", "before", "manifest"}
    assert roles["made"]["before"] == roles["before"]["name"]
    assert api.http.get(roles["made"]["url"]).content[:4] == b"\x89PNG"
    for one in (made["id"], twin.json()["id"]):
        api.http.delete(f"/v1/generations/{one}")
    assert [path for path in media.folder.rglob("*") if path.is_file()] == []


def test_what_a_system_does_not_take_is_refused_with_what_it_takes(api: Api) -> None:
    refused = api.http.post("/v1/generations", json={"model": "reconstruction-haar-x4", "seed": 3})
    assert "takes no seed" in problem(refused, 422, "usage")["detail"]
    form = {"model": "stylegan2-faces", "colour": "red"}
    problem(api.http.post("/v1/generations", data=form, files={"mask": ("", b"")}), 422, "invalid")


def test_models_say_what_they_take(api: Api) -> None:
    found = {model["name"]: model for model in api.http.get("/v1/models").json()["items"]}
    assert found["cgan-mnist"]["takes"][:4] == ["count", "seed", "truncation", "classes"]
    assert found["dr-gan-faces"]["takes"] == ["input", "box", "yaw", "grid", "film", "gif"]
    assert found["dr-gan-faces"]["films"] == ["rotation"]
    assert found["colour"]["takes"] == []
