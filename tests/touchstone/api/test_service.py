"""What stands around the routes: health, limits, who may call from where, headers, every error's form."""

from __future__ import annotations

import logging

import httpx
import pytest

from evidence import errors
from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from touchstone.api import problems
from touchstone.api.shield import HEADERS, LOOPBACK, host_names


def all_errors(
    kind: type[errors.TouchstoneError] = errors.TouchstoneError,
) -> set[type[errors.TouchstoneError]]:
    return {kind}.union(*(all_errors(sub) for sub in kind.__subclasses__()))


def test_it_says_that_it_lives_and_what_it_could_not_work_without(api: Api, start: StartApi) -> None:
    assert api.http.get("/healthz").json() == {"status": "ok"}
    ready = api.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {
        "ready": True, "checks": {"store": "ok", "disk": "ok", "detector": "ok", "workers": "elsewhere"}
    }  # fmt: skip
    lost = start(model="nosuch").http.get("/readyz")
    assert lost.status_code == 503
    assert lost.json()["checks"]["detector"] == "model_not_found"


def test_it_says_what_is_installed_allowed_and_used(api: Api) -> None:
    installed = {model["name"]: model for model in api.http.get("/v1/models").json()["items"]}
    assert (installed["colour"]["kind"], installed["colour"]["default"]) == ("detector", True)
    assert api.http.get("/v1/limits").json()["max_bytes"] == api.service.settings.max_bytes
    api.upload()
    api.upload()
    api.work()
    used = api.http.get("/v1/usage").json()
    assert used == {"tenant": "local", "jobs": {"scan": {"done": 1, "queued": 1}}, "last_day": 2}


def test_it_counts_its_requests(api: Api) -> None:
    api.http.get("/v1/scans/nosuch")
    text = api.http.get("/metrics").text
    assert 'touchstone_http_requests_total{method="GET",route="/v1/scans/{scan}",status="404"} 1' in text
    assert "nosuch" not in text


def test_it_tells_how_much_waits_and_how_much_room_there_is(api: Api) -> None:
    api.upload()
    lines = api.http.get("/metrics").text.splitlines()
    assert 'touchstone_queue_ready{lane="live"} 1' in lines
    assert any(line.startswith("touchstone_disk_free_bytes ") for line in lines)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404), ({"Host": "localhost:80"}, 404), ({"Host": "[::1]:80"}, 404),
        ({"Host": "evil.example"}, 403), ({"Host": "127.0.0.1.evil.example"}, 403), ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403), ({"Origin": "http://["}, 403), ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403), ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
    ],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(api: Api, headers: dict[str, str], status: int) -> None:
    answer = api.http.post("/v1/scans/nosuch/cancel", headers=headers)
    problem(answer, status, "foreign_page" if status == 403 else "no_such_job")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/scans/%00", 400), ("/scans/%0a", 400), ("/batches/%7f", 400), ("/generate/%1b", 400),
        ("/scans/%3Flimit=1", 404), ("/scans/%23", 404), ("/batches/%2e%2e", 404), ("/scans/%ff", 404),
        ("/scans/%25%30%41", 404), ("/v1/scans?cursor=WzEuMCwgIlx1MDAwMCJd", 400),
    ],
)  # fmt: skip
def test_a_path_that_nobody_gave_out_is_no_fault_of_ours(api: Api, path: str, status: int) -> None:
    assert api.http.get(path).status_code == status


def test_the_page_of_this_server_may_post(api: Api) -> None:
    answer = api.http.post("/v1/scans/nosuch/cancel", headers={"Origin": api.url})
    problem(answer, 404, "no_such_job")


def test_a_name_of_the_settings_is_this_server_too(start: StartApi) -> None:
    api = start(hosts="scan.example, other.example")
    assert api.http.get("/healthz", headers={"Host": "scan.example:443"}).status_code == 200
    problem(api.http.get("/healthz", headers={"Host": "third.example"}), 403, "foreign_page")
    problem(api.http.get("/v1/scans"), 401, "key_refused")  # behind a proxy nobody is alone


@pytest.mark.parametrize(
    ("host", "named", "names"),
    [
        ("127.0.0.1", "", LOOPBACK), ("::1", " Scan.Example ,", (*LOOPBACK, "scan.example")),
        ("0.0.0.0", "", ()), ("0.0.0.0", "scan.example", ("scan.example",)),
    ],
)  # fmt: skip
def test_a_server_that_others_reach_has_the_names_it_was_given(
    host: str, named: str, names: tuple[str, ...]
) -> None:
    assert host_names(host, named) == names


def test_a_server_that_others_reach_asks_for_a_key_from_the_first_moment(start: StartApi) -> None:
    api = start(host="0.0.0.0")
    problem(api.http.get("/v1/scans", headers={"Host": "any.example"}), 401, "key_refused")
    assert api.http.get("/healthz", headers={"Host": "any.example"}).status_code == 200


def test_every_answer_carries_the_headers_that_protect_it(api: Api) -> None:
    for path in ("/v1/scans", "/healthz", "/nosuch", "/v1/scans/nosuch"):
        found = api.http.get(path, headers={"X-Request-Id": "mine-1"}).headers
        assert found["x-request-id"] == "mine-1"
        assert {name: found.get(name) for name in HEADERS} == HEADERS
    assert api.http.get("/v1/scans").headers["cache-control"] == "no-store"
    assert api.http.get("/v1/scans", headers={"X-Request-Id": "a\tb"}).headers["x-request-id"] != "a\tb"


def test_what_does_not_exist_is_a_problem_too(api: Api) -> None:
    problem(api.http.get("/nosuch"), 404, "no_such_path")
    refused = api.http.put("/v1/scans")
    problem(refused, 405, "no_such_method")
    assert refused.headers["allow"]


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_long_is_refused(start: StartApi, chunked: bool) -> None:
    api = start(max_body_bytes=1024)
    scan = api.upload().json()["id"]
    api.http.post(f"/v1/scans/{scan}/cancel")
    body = b'{"model": "' + b"x" * 2000 + b'"}'
    answer = api.http.post(
        f"/v1/scans/{scan}/rerun",
        content=iter([body]) if chunked else body,
        headers={"Content-Type": "application/json"},
    )
    problem(answer, 413, "request_too_large")


def test_a_fault_of_ours_is_a_problem_without_its_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret path /var/lib")

    monkeypatch.setattr(api.service.store, "get", fail)
    with caplog.at_level(logging.CRITICAL):
        answer = api.http.get("/v1/scans/x")
    body = problem(answer, 500, "internal")
    assert "secret" not in str(body)


def test_a_store_that_cannot_be_reached_is_503_and_says_when_to_come_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise errors.StoreUnavailable("The job store cannot be used.", "Start it.")

    monkeypatch.setattr(api.service.store, "get", fail)
    answer = api.http.get("/v1/scans/x")
    problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"]


def test_every_error_of_ours_has_a_status_and_its_own_code() -> None:
    kinds = all_errors()
    assert {kind for kind in kinds if not 400 <= problems.status_of(kind("x", "y")) < 600} == set()
    leaves = [kind.code for kind in kinds if not kind.__subclasses__()]
    assert len(leaves) == len(set(leaves))


def test_a_tenant_that_asks_too_often_is_told_when_to_come_again(start: StartApi) -> None:
    api = start(requests_per_minute=60)
    api.service.rates.clock = lambda: 0.0
    answers = [api.http.get("/v1/limits") for _ in range(12)]
    assert {answer.status_code for answer in answers[:10]} == {200}
    problem(answers[-1], 429, "too_many")
    assert int(answers[-1].headers["retry-after"]) >= 1


@pytest.mark.parametrize("fields", [{"jobs_per_day": 2}, {"waiting_jobs": 2}])
def test_a_quota_that_is_used_up_is_said(start: StartApi, fields: dict[str, int]) -> None:
    api = start(**fields)
    assert [api.upload().status_code for _ in range(2)] == [202, 202]
    refused = api.upload()
    problem(refused, 429, "too_many")
    assert refused.headers["retry-after"]
    assert len(api.http.get("/v1/scans").json()["items"]) == 2


def test_the_openapi_document_names_the_problem_of_every_route(api: Api) -> None:
    document = httpx.get(f"{api.url}/openapi.json").json()
    operations = [op for path in document["paths"].values() for op in path.values()]
    assert len(operations) >= 16
    assert all("4XX" in op["responses"] and "422" not in op["responses"] for op in operations)
    ids = [op["operationId"] for op in operations]
    assert len(ids) == len(set(ids))
