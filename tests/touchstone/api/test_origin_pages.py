"""The pages of provenance and of the log, and the parent beside a verdict, over the real service."""

from __future__ import annotations

import base64
import io

import httpx
import numpy as np
from PIL import Image, ImageDraw

from provenance.transparency.notes import PublicKey
from provenance.transparency.proofs import check
from tests.api_service import Api, problem
from tests.credentials import changed_png
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
    assert "framed where they differ" in page
    assert "Made from" in api.http.get(f"/v1/scans/{scan}/report.html").text
    assert f"/v1/scans/{scan}/proof.json" in page
    plain = scanned(api, picture(dot=False))
    problem(api.http.get(f"/v1/scans/{plain}/parent"), 404, "not_there")
    assert "Made from" not in api.http.get(f"/scans/{plain}").text


def test_a_photograph_that_was_edited_after_it_was_signed_shows_what_broke_and_where(start: StartApi) -> None:
    api = start(signing=True)
    files = {"file": ("photo.png", picture(dot=False))}
    whole = api.http.post("/v1/sign", files=files, data={"as": "edited"}).content
    edited = changed_png(whole, np.asarray(Image.open(io.BytesIO(picture(dot=True)))))

    found = api.http.post("/v1/verify", files={"file": ("photo.png", edited)}).json()
    page = api.http.post("/provenance/verify", files={"file": ("photo.png", edited)})
    scan = scanned(api, edited)
    shown = api.http.get(f"/v1/scans/{scan}/signed").json()
    report = api.http.get(f"/v1/scans/{scan}/report.html").text

    (broken,) = (one for one in found["credentials"]["problems"] if "dataHash" in one["code"])
    assert (broken["code"], broken["where"]) == ("assertion.dataHash.mismatch", "c2pa.hash.data")
    assert found["credentials"]["state"] == "invalid"
    assert shown["differs"]["box"] == found["changed"]["differs"]["box"]
    left, top, right, bottom = shown["differs"]["box"]
    for side, drawn in ((left, 40 / 320), (top, 60 / 240), (right, 91 / 320), (bottom, 111 / 240)):
        assert abs(side - drawn) <= 0.02  # one cell of the comparison is 0.008 wide and 0.01 high
    before = Image.open(io.BytesIO(base64.b64decode(found["changed"]["signed"])))
    assert before.size == Image.open(io.BytesIO(api.http.get(shown["url"]).content)).size == (320, 240)
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    for text in (page.text, api.http.get(f"/scans/{scan}").text, report):
        assert "Changed after it was signed" in text
        assert "assertion.dataHash.mismatch" in text
        assert "The file is not as it was signed" in text
        assert "They differ in" in text
        assert 'class="differs"' in text
    kept = api.http.post("/v1/verify", files={"file": ("photo.png", whole)}).json()
    assert (kept["credentials"]["state"], kept["changed"]) == ("untrusted", None)
    problem(api.http.get(f"/v1/scans/{scanned(api, whole)}/signed"), 404, "not_there")
    cut = changed_png(whole, np.asarray(Image.open(io.BytesIO(picture(dot=True))))[:, :200])
    assert api.http.post("/v1/verify", files={"file": ("a.png", cut)}).json()["changed"]["differs"] is None


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
