"""The pages of provenance and of the log, and the parent beside a verdict, over the real service."""

from __future__ import annotations

import io

import httpx
from PIL import Image, ImageDraw

from provenance.transparency.notes import PublicKey
from provenance.transparency.proofs import check
from tests.api_service import Api, problem
from tests.touchstone.api.conftest import StartApi
from tests.touchstone.api.test_access import client


def picture(*, dot: bool) -> bytes:
    made = Image.radial_gradient("L").convert("RGB").resize((320, 240))
    if dot:
        ImageDraw.Draw(made).ellipse((40, 60, 90, 110), fill="red")
    out = io.BytesIO()
    made.save(out, "PNG")
    return out.getvalue()


def signed(api: Api) -> bytes:
    """A picture with a dot, made from one without."""
    files = {"file": ("dot.png", picture(dot=True)), "parent": ("whole.png", picture(dot=False))}
    return api.http.post("/v1/sign", files=files, data={"as": "edited"}).content


def scanned(api: Api, data: bytes) -> str:
    """A scan of it whose report has its credentials, as a worker would have read them."""
    api.upload(data, "dot.png")
    lease = api.claim()
    found = api.http.post("/v1/verify", files={"file": ("dot.png", data)}).json()
    plain = api.report.to_dict() | {"id": lease.job}
    plain["media"] |= {"path": "dot.png", "sha256": lease.payload["sha256"]}
    plain["provenance"] |= {"c2pa": found["credentials"]}
    shown = io.BytesIO()
    Image.open(io.BytesIO(data)).save(shown, "JPEG", quality=85)
    api.service.media.artefact(lease.job, "preview.jpg").write_bytes(shown.getvalue())
    result = {"report": plain, "heat": False, "preview": True}
    assert api.service.leases.complete(lease, result)
    return lease.job


def test_a_verdict_stands_beside_what_the_picture_was_made_from_and_says_where_it_differs(
    start: StartApi,
) -> None:
    api = start(signing=True)
    scan = scanned(api, signed(api))
    parent = api.http.get(f"/v1/scans/{scan}/parent").json()
    shown = Image.open(io.BytesIO(api.http.get(parent["url"]).content))
    left, top, right, bottom = parent["differs"]["box"]

    assert (parent["title"], shown.size) == ("whole.png", (320, 240))
    # one cell of the comparison is 2.5 pixels wide
    assert abs(left * 320 - 40) <= 5
    assert abs(top * 240 - 60) <= 5
    assert abs(right * 320 - 91) <= 5
    assert abs(bottom * 240 - 111) <= 5
    page = api.http.get(f"/scans/{scan}").text
    assert "Made from" in page
    assert "all of it inside the frame" in page
    assert f"/v1/scans/{scan}/proof.json" in page
    plain = scanned(api, picture(dot=False))
    problem(api.http.get(f"/v1/scans/{plain}/parent"), 404, "not_there")
    assert "Made from" not in api.http.get(f"/scans/{plain}").text


def test_the_log_page_finds_entries_and_hands_out_proofs_that_hold(start: StartApi) -> None:
    api = start(signing=True)
    scan = scanned(api, picture(dot=True))
    sha256 = api.http.get(f"/v1/scans/{scan}").json()["sha256"]
    key = PublicKey.read(api.http.get("/v1/log").json()["key"])
    for find in (scan, sha256):
        assert "Entry 0" in api.http.get("/log", params={"find": find}).text
        kept = api.http.get("/log/proof", params={"find": find, "index": 0})
        assert kept.headers["content-disposition"] == 'attachment; filename="entry-0.json"'
        assert check(kept.json(), key).entry["media_sha256"] == sha256
    assert "holds nothing" in api.http.get("/log", params={"find": "0" * 64}).text
    assert api.http.get("/log/proof", params={"find": sha256, "index": 9}).status_code == 404
    grown = api.http.get("/log/consistency", params={"first": 1})
    assert grown.headers["content-disposition"].startswith("attachment")
    assert grown.json()["first"] == 1
    with client(api, "blue") as blue, client(api, "local") as own:
        assert blue.get("/v1/log/entries", params={"sha256": sha256}).json() == {"items": []}
        assert len(own.get("/v1/log/entries", params={"sha256": sha256}).json()["items"]) == 1


def test_the_page_of_provenance_tells_what_a_file_says_where_it_was_seen_and_signs(start: StartApi) -> None:
    api = start(signing=True)
    data = signed(api)

    def sent(what: str, **fields: str) -> httpx.Response:
        return api.http.post(f"/provenance/{what}", files={"file": ("dot.png", data)}, data=fields)

    said, seen = sent("verify"), sent("trace")
    made = sent("sign", **{"as": "generated", "title": ""})
    assert said.status_code == seen.status_code == made.status_code == 200
    assert "signed by somebody no trust list knows" in said.text
    assert "whole.png" in said.text
    assert "Never seen before" in seen.text
    assert made.headers["content-disposition"].endswith("dot.signed.png")
    assert "Sign a file" in api.http.get("/provenance").text


def test_a_service_that_does_not_sign_shows_no_form_for_it(api: Api) -> None:
    assert "Sign a file" not in api.http.get("/provenance").text
