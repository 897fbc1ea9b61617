"""The transparency log over HTTP: proofs of one's own scans, and what anybody may mirror."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from provenance.transparency.merkle import extends, leaf_hash
from provenance.transparency.notes import Head, PublicKey, peek
from provenance.transparency.proofs import check
from provenance.transparency.reading import documents_in
from tests.api_service import Api, problem
from tests.touchstone.api.test_access import client
from worker.generating import generate
from worker.jobs.api_keys import ApiKeys
from worker.requests import GenerateRequest


def test_reports_of_a_scan_carry_the_proof_and_it_holds_with_the_key_that_the_log_names(
    api: Api, tmp_path: Path
) -> None:
    scan = f"/v1/scans/{api.upload().json()['id']}"
    problem(api.http.get(f"{scan}/proof.json"), 404, "not_there")
    api.work()

    state = api.http.get("/v1/log").json()
    key = PublicKey.read(state["key"])
    assert (state["size"], state["origin"]) == (1, key.name)
    report = api.http.get(f"{scan}/report.json").json()
    proof = api.http.get(f"{scan}/proof.json").json()
    page = tmp_path / "report.html"
    page.write_text(api.http.get(f"{scan}/report.html").text)

    assert proof == report["provenance"]["log"]
    for document in (report, proof, *documents_in(page)):
        assert check(document, key).index == 0
    assert len(documents_in(page)) == 1


def test_heads_and_tiles_can_be_mirrored_and_a_later_head_is_proved_to_continue_one_that_was_kept(
    api: Api,
) -> None:
    api.upload()
    api.work()
    first = peek(api.http.get("/v1/log/checkpoint").text)
    api.upload(b"another")
    api.work()

    note = api.http.get("/v1/log/checkpoint").text
    key = PublicKey.read(api.http.get("/v1/log").json()["key"])
    second = Head.signed(note, key)
    proof = api.http.get("/v1/log/consistency", params={"first": first.size}).json()
    path = [bytes.fromhex(node) for node in proof["hashes"]]
    assert proof["checkpoint"] == note
    assert extends(first.size, second.size, path, first.root, second.root)
    problem(api.http.get("/v1/log/consistency", params={"first": 3}), 422, "usage")

    hashes = api.http.get("/v1/log/tile/0/000.p/2").content
    bundle = api.http.get("/v1/log/tile/entries/000.p/2").content
    length = int.from_bytes(bundle[:2], "big")
    assert leaf_hash(bundle[2 : 2 + length]) == hashes[:32]
    assert json.loads(bundle[2 : 2 + length]) == api.http.get("/v1/log/entries/0").json()["entry"]
    for gone in (
        "0/000",
        "0/000.p/3",
        "1/000.p/1",
        "0/001.p/1",
        "0/x000",
        "entries/000.p/3",
    ):
        assert api.http.get(f"/v1/log/tile/{gone}").status_code == 404, gone
    problem(api.http.get("/v1/log/entries/2"), 422, "usage")


def test_entries_are_for_the_administrator_and_a_log_that_cannot_be_signed_holds_no_report_back(
    api: Api,
) -> None:
    scan = f"/v1/scans/{api.upload().json()['id']}"
    api.work()
    assert api.http.get(f"{scan}/proof.json").status_code == 200
    (api.service.settings.log_folder / "key").write_text("nonsense")

    assert "log" not in api.http.get(f"{scan}/report.json").json()["provenance"]
    problem(api.http.get("/v1/log"), 500, "log")

    _, text = ApiKeys(api.service.store).add("blue", "blue", ("read", "write"))
    reader = {"Authorization": f"Bearer {text}"}
    for path in ("entries/0", "tile/entries/000.p/1"):
        problem(api.http.get(f"/v1/log/{path}", headers=reader), 404, "not_there")
    assert len(api.http.get("/v1/log/tile/0/000.p/1", headers=reader).content) == 32


def test_a_tenant_finds_what_came_of_their_batches_and_generations_and_nothing_of_another(api: Api) -> None:
    with client(api, "red") as red, client(api, "blue") as blue, client(api, "root", "admin") as root:

        def found(http: httpx.Client, sha256: str) -> list[str]:
            items = http.get("/v1/log/entries", params={"sha256": sha256}).json()["items"]
            return [one["entry"]["kind"] for one in items]

        scan = api.upload(b"red's picture", http=red).json()
        api.work()
        batch = red.post("/v1/batches", json={"items": [{"sha256": scan["sha256"], "name": "again"}]}).json()
        (lease,) = api.service.leases.claim("test", ["batch"])
        row = api.report.to_dict()
        rows = [row | {"media": row["media"] | {"sha256": scan["sha256"]}}]
        assert api.service.leases.complete(lease, {"rows": rows})
        made = red.post("/v1/generations", json={"model": "cgan-mnist"}).json()
        (lease,) = api.service.leases.claim("test", ["generate"])
        asked = GenerateRequest.from_plain(lease.payload)
        settings, media = api.service.settings, api.service.media
        result = generate(lease.job, asked, settings, media, lambda done, of: None)
        assert api.service.leases.complete(lease, result)
        drawn = result["made"][0]["media_sha256"]

        assert found(red, scan["sha256"]) == found(root, scan["sha256"]) == ["scan", "scan"]
        assert found(red, drawn) == found(root, drawn) == ["generation"]
        assert found(blue, scan["sha256"]) == found(blue, drawn) == []
        assert red.get("/log/proof", params={"find": drawn, "index": 2}).status_code == 200
        assert blue.get("/log/proof", params={"find": drawn, "index": 2}).status_code == 404
        for gone in (f"batches/{batch['id']}", f"generations/{made['id']}"):
            assert red.delete(f"/v1/{gone}").json()["deleted"]
        assert found(red, scan["sha256"]) == ["scan"]
        assert found(red, drawn) == []
        assert found(root, drawn) == ["generation"]
