"""Keys, scopes and tenants: nobody gets in without a key, and no route shows anything of another tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from tests.api_service import PATIENCE_SECONDS, Api, problem
from tests.touchstone.api.conftest import StartApi
from tests.worker_service import wait_for
from worker.jobs.api_keys import ApiKeys
from worker.workman import Workman

OPEN = {"/healthz", "/readyz", "/openapi.json"}
SECRET_NAME = "the-secret-of-red.jpg"
RECIPE = 'count = 6\n[[sources]]\nfolder = "reals"\nfit = 64\n[[systems]]\nname = "splice"\n'


@dataclass(frozen=True)
class Tenants:
    """Two tenants of one service: red has a scan of each kind, blue looks at all of it."""

    api: Api
    red: httpx.Client
    blue: httpx.Client
    ids: dict[str, str]


def client(api: Api, tenant: str, *scopes: str, **options: Any) -> httpx.Client:
    _, text = ApiKeys(api.service.store).add(tenant, tenant, scopes or ("read", "write"), **options)
    return httpx.Client(
        base_url=api.url, headers={"Authorization": f"Bearer {text}"}, timeout=PATIENCE_SECONDS
    )


@pytest.fixture
def tenants(start: StartApi, tmp_path: Path, make_photo: Callable[..., Pixels]) -> Iterator[Tenants]:
    (tmp_path / "reals").mkdir()
    for number in range(6):
        (tmp_path / "reals" / f"{number}.jpg").write_bytes(encode_jpeg(make_photo(96, 128, number), 90))
    api = start(testset_folders=str(tmp_path / "reals"), signing=True)
    scopes = ("read", "write", "sign")
    with client(api, "red", *scopes) as red, client(api, "blue", *scopes) as blue:
        scan = api.upload(b"red's picture", SECRET_NAME, http=red).json()
        assert api.work() == scan["id"]
        batch = red.post("/v1/batches", json={"items": [{"sha256": scan["sha256"], "name": SECRET_NAME}]})
        api.work_batch()
        made = red.post("/v1/generations", json={"model": "cgan-mnist", "client_ref": SECRET_NAME})
        api.work_generation()
        wish = {"text": RECIPE, "force": True, "client_ref": SECRET_NAME}
        forged = red.post("/v1/testsets", json=wish).json()
        with Workman(api.service.store, api.service.media, api.service.settings) as workman:
            while red.get(f"/v1/testsets/{forged['id']}").json()["state"] != "done":
                assert workman.work() == 1
        ids = {
            "scan": scan["id"],
            "sha256": scan["sha256"],
            "batch": batch.json()["id"],
            "generation": made.json()["id"],
            "file": "one.png",
            "testset": forged["id"],
            "sheet": "splice.png",
            "webhook": red.post("/v1/webhooks", json={"url": "https://red.example/hook"}).json()["id"],
            "delivery": "none",
            "position": "0",  # red's entry of the transparency log, which is not for blue
            "level": "9",
            "place": "999",
        }
        yield Tenants(api, red, blue, ids)


def operations(api: Api) -> list[tuple[str, str]]:
    document = api.http.get("/openapi.json").json()
    return [(method.upper(), path) for path, found in document["paths"].items() for method in found]


def ask(http: httpx.Client, method: str, path: str, ids: dict[str, str]) -> httpx.Response:
    """The request with ids of red in its path; POSTs that make something name red's medium."""
    bodies: dict[str, Any] = {
        "/v1/scans": {"sha256": ids["sha256"]},
        "/v1/batches": {"items": [{"sha256": ids["sha256"]}]},
        "/v1/generations": {"model": "cgan-mnist"},
        "/v1/testsets": {"text": RECIPE},
        "/v1/webhooks": {"url": "https://blue.example/hook"},
        **{f"/v1/{what}": {"sha256": ids["sha256"]} for what in ("verify", "trace", "sign")},
    }
    body = bodies.get(path, {}) if method in ("POST", "PUT", "PATCH") else None
    return http.request(method, path.format(**ids), json=body)


def test_no_route_shows_or_changes_anything_of_another_tenant(tenants: Tenants) -> None:
    before = snapshot(tenants)
    leaks = []
    for method, path in operations(tenants.api):
        answer = ask(tenants.blue, method, path, tenants.ids)
        shown = any(name in answer.text for name in (SECRET_NAME, "red.example")) or (
            "{" not in path and tenants.ids["scan"] in answer.text
        )
        if shown or ("{" in path and answer.status_code != 404):
            leaks.append((method, path, answer.status_code, answer.text))
    assert leaks == []
    assert snapshot(tenants) == before


def snapshot(tenants: Tenants) -> Any:
    paths = ("/v1/scans", "/v1/scans/{scan}", "/v1/batches", "/v1/batches/{batch}/items", "/v1/usage")
    paths += ("/v1/generations/{generation}", "/v1/generations/{generation}/files/{file}")
    paths += ("/v1/testsets/{testset}", "/v1/testsets/{testset}/card.md")
    return [tenants.red.get(path.format(**tenants.ids)).text for path in paths]


def test_what_is_somebody_else_s_looks_like_what_is_nobody_s(tenants: Tenants) -> None:
    for path in ("/v1/scans/{}", "/v1/scans/{}/events", "/v1/scans/{}/media", "/v1/scans/{}/heat.png"):
        theirs = tenants.blue.get(path.format(tenants.ids["scan"])).json()
        nobodys = tenants.blue.get(path.format("0" * 32)).json()
        for body in (theirs, nobodys):
            del body["request_id"], body["instance"]
        assert theirs["detail"].replace(tenants.ids["scan"], "0" * 32) == nobodys["detail"]
        assert {**theirs, "detail": ""} == {**nobodys, "detail": ""}


def test_the_same_bytes_of_two_tenants_are_two_secrets(tenants: Tenants) -> None:
    mine = tenants.api.upload(b"red's picture", "mine.jpg", http=tenants.blue).json()
    known = tenants.blue.get(f"/v1/media/{mine['sha256']}").json()
    assert [scan["id"] for scan in known["scans"]] == [mine["id"]]
    tenants.blue.delete(f"/v1/scans/{mine['id']}")
    assert tenants.red.get(f"/v1/scans/{tenants.ids['scan']}/media").content == b"red's picture"
    problem(tenants.blue.get(f"/v1/media/{mine['sha256']}"), 404, "no_such_medium")


def test_the_same_idempotency_key_of_two_tenants_is_two_scans(tenants: Tenants) -> None:
    key = {"Idempotency-Key": "k"}
    made = {tenants.api.upload(http=http, headers=key).json()["id"] for http in (tenants.red, tenants.blue)}
    assert len(made) == 2


def test_every_route_asks_for_a_key_once_there_is_one(tenants: Tenants) -> None:
    for method, path in operations(tenants.api):
        if path not in OPEN:
            answer = ask(tenants.api.http, method, path, tenants.ids)
            problem(answer, 401, "key_refused")
            assert answer.headers["www-authenticate"] == "Bearer"
    assert tenants.api.http.get("/healthz").status_code == 200


def test_every_route_that_changes_something_needs_more_than_reading(tenants: Tenants) -> None:
    with client(tenants.api, "red", "read") as reader:
        for method, path in operations(tenants.api):
            if method in ("POST", "DELETE", "PUT", "PATCH") or path == "/metrics":
                problem(ask(reader, method, path, tenants.ids), 403, "scope_missing")
        assert reader.get(f"/v1/scans/{tenants.ids['scan']}").status_code == 200
    with client(tenants.api, "red", "write") as writer:
        problem(writer.get("/v1/scans"), 403, "scope_missing")
        assert tenants.api.upload(http=writer).status_code == 202
    with client(tenants.api, "red", "admin") as admin:
        assert admin.get("/metrics").status_code == admin.get("/v1/scans").status_code == 200


def test_a_key_works_as_a_cookie_too_and_is_void_at_once_when_it_is_revoked(tenants: Tenants) -> None:
    keys = ApiKeys(tenants.api.service.store)
    kept, text = keys.add("red", "page", ["read"])
    with httpx.Client(base_url=tenants.api.url, cookies={"touchstone_key": text}) as page:
        assert page.get(f"/v1/scans/{tenants.ids['scan']}").status_code == 200
        keys.revoke(kept.id)
        problem(page.get("/v1/scans"), 401, "key_refused")


def test_a_cookie_of_ours_is_no_help_to_a_page_of_another_site(tenants: Tenants) -> None:
    _, text = ApiKeys(tenants.api.service.store).add("red", "page", ["write"])
    headers = {"Origin": "http://evil.example"}
    with httpx.Client(base_url=tenants.api.url, cookies={"touchstone_key": text}, headers=headers) as page:
        problem(page.delete(f"/v1/scans/{tenants.ids['scan']}"), 403, "foreign_page")


def test_the_first_key_closes_a_server_that_was_open(api: Api) -> None:
    assert api.http.get("/v1/scans").status_code == 200
    ApiKeys(api.service.store).add("local", "me", ["read"])
    wait_for(lambda: api.http.get("/v1/scans").status_code != 200)
    problem(api.http.get("/v1/scans"), 401, "key_refused")


def test_guessing_keys_is_slowed_down(tenants: Tenants) -> None:
    wrong = {"Authorization": "Bearer ts_000000000000_" + "x" * 43}
    guesses, now = tenants.api.service.guesses, [1_000.0]
    guesses.clock = lambda: now[0]

    def guess() -> httpx.Response:
        return tenants.api.http.get("/v1/limits", headers=wrong)

    assert [guess().status_code for _ in range(int(guesses.burst))] == [401] * 10
    problem(guess(), 429, "too_many")
    now[0] += 1.0
    assert guess().status_code == 401
    problem(guess(), 429, "too_many")
