"""Whatever is sent, the API keeps to its description and never fails on its own."""

from __future__ import annotations

from benchmarks.fuzz_api import fuzz, tell
from tests.api_service import Api

EXAMPLES = 10  # requests an operation; `make soak` sends thousands


def test_nothing_that_is_sent_breaks_the_api_or_its_description(api: Api) -> None:
    done = api.upload(b"one").json()
    api.work()
    failed = api.upload(b"two").json()["id"]
    api.service.leases.fail(api.claim(), {"code": "decoder_crashed", "message": "It died."}, final=True)
    batch = api.http.post("/v1/batches", json={"items": [{"sha256": done["sha256"]}, {}]}).json()["id"]
    api.work_batch()
    made = api.http.post("/v1/generations", json={"model": "cgan-mnist"}).json()["id"]
    api.work_generation()
    known = {"scan": [done["id"], failed], "batch": [batch], "sha256": [done["sha256"]]}
    known |= {"generation": [made], "file": ["one.png"]}

    statuses = fuzz(api.url, known, examples=EXAMPLES)

    assert statuses["2xx"] > 20
    assert statuses["4xx"] > 20
    assert set(statuses) <= {"2xx", "3xx", "4xx"}


def test_what_one_request_made_the_next_ones_ask_for_cancel_and_delete(api: Api) -> None:
    sha256 = api.upload(b"one").json()["sha256"]
    known = {"sha256": [sha256], "model": ["cgan-mnist"], "input": [[{"sha256": sha256, "name": "a"}]]}

    statuses = tell(api.url, known, 60, steps=8)

    assert statuses["2xx"] > 5
    assert set(statuses) <= {"2xx", "3xx", "4xx"}
