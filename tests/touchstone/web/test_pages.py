"""What the pages say, without a browser: verdicts in words, errors with advice, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from evidence.verdict import nothing_claimed
from provenance.credentials import Action, Credentials, Ingredient, Manifest, Problem, Signer
from tests.touchstone.web.conftest import plain_report
from tests.touchstone.web.stub import Stub
from touchstone.report.article import FOLDER as REPORT
from touchstone.web.rendering import FOLDER

PAGES = (
    "/", "/scans", "/scans/fake", "/scans/real", "/scans/unclear", "/scans/damaged", "/scans/film",
    "/scans/waits", "/scans/runs", "/scans/broke", "/scans/stopped", "/scans/missing", "/batches",
    "/batches/night", "/batches/day", "/batches/night/items/0", "/batches/night/items/2",
    "/models", "/generate", "/generate?system=filler", "/generate?system=smiler",
    "/generate/forged", "/generate/film", "/generate/making", "/generate/unmade", "/key",
)  # fmt: skip
HOSTILE = 'x\u202egpj.<script>alert(1)</script>"onerror=x.jpg'


@pytest.mark.parametrize("address", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(
    pages: httpx.Client, address: str
) -> None:
    answer = pages.get(address)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r'(src|href|action)="(https?:)?//', answer.text)
    assert not re.search(r"\sstyle=|\son\w+=\"|<style|javascript:", answer.text)
    assert re.findall(r"<script[^>]*>", answer.text) == ['<script type="module" src="/static/page.js">']


def test_everything_a_browser_fetches_of_ours_weighs_less_than_150_kilobytes(pages: httpx.Client) -> None:
    files = [*(FOLDER / "static").iterdir(), REPORT / "report.css"]
    largest = max(len(pages.get(address).content) for address in PAGES)

    assert sum(file.stat().st_size for file in files) + largest < 150_000


def test_every_file_of_the_page_is_served_with_its_type(pages: httpx.Client) -> None:
    for file in [*(FOLDER / "static").iterdir(), REPORT / "report.css"]:
        answer = pages.get(f"/static/{file.name}")
        assert answer.content == file.read_bytes()
        kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[file.suffix]
        assert answer.headers["content-type"].split(";")[0] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_fake_is_told_with_probability_interval_and_false_alarms(pages: httpx.Client) -> None:
    text = pages.get("/scans/fake").text

    assert re.search(r"<h1[^>]*>.*Fake</h1>", text)
    assert "97\u00a0%" in text
    assert "95 % interval 94\u00a0% to 99\u00a0%" in text
    assert "1.0\u00a0% of genuine media are wrongly called fake" in text
    assert "Face 1: 95\u00a0%" in text
    assert "/v1/scans/fake/heat.png" in text


def test_a_picture_that_is_not_there_is_not_asked_for(pages: httpx.Client) -> None:
    assert "preview.jpg" not in pages.get("/scans/real").text
    assert "heat.png" not in pages.get("/scans/real").text


def test_no_verdict_says_why_and_what_to_do(pages: httpx.Client) -> None:
    text = pages.get("/scans/damaged").text

    assert "No verdict" in text
    assert "The file is cut short. Fetch it again." in text


def test_what_was_not_looked_for_has_its_place_in_provenance(pages: httpx.Client) -> None:
    text = pages.get("/scans/real").text

    assert "<b>Content Credentials</b>: not looked for" in text
    assert "<b>Metadata</b>: no claims" in text


def test_what_a_file_claims_is_listed(stub: Stub, pages: httpx.Client) -> None:
    claims = {"c2pa": {"state": "valid", "signer": "A Camera"}, "metadata": ["exif Software: GIMP"]}
    stub.scan("claims", report=plain_report(provenance=claims))

    text = pages.get("/scans/claims").text

    assert re.search(r"Content Credentials</b>\s*<ul><li>state:\s*valid", text)
    assert "exif Software: GIMP" in text


def test_a_manifest_is_a_tree_of_what_it_was_made_from_and_a_declared_verdict_says_so(
    stub: Stub, pages: httpx.Client
) -> None:
    signer = Signer("A <Signer>", "Its House", "Es256", "17")
    inner = Manifest("m", "raw.jpg", "A Camera", signer, "", (Action("c2pa.created"),), ())
    broken = Ingredient("sky.png", "image/png", "componentOf", "invalid", (Problem("assertion.x"),))
    parts = (Ingredient("raw.jpg", "image/jpeg", "parentOf", "untrusted", (), inner), broken)
    outer = Manifest(
        "n", "a.jpg", "An Editor", signer, "2026-11-25", (Action("c2pa.edited", "x/y/z"),), parts
    )
    c2pa = Credentials("untrusted", place="embedded", manifest=outer).to_dict()
    said = plain_report(provenance=nothing_claimed() | {"c2pa": c2pa}, verdict="fake", decided_by="c2pa")
    stub.scan("tree", report=said)

    text = " ".join(re.sub(r"<[^>]*>", " ", pages.get("/scans/tree").text).split())

    assert "Fake (declared)" in text
    assert "by the pixels alone" in text
    assert "a.jpg by An Editor Signed by A &lt;Signer&gt;, Its House at 2026-11-25" in text
    assert "c2pa.edited, z" in text
    assert "Made from raw.jpg by A Camera" in text
    assert "With a part from sky.png invalid assertion.x" in text


def test_a_running_scan_says_how_far_it_is_and_looks_again_without_script(pages: httpx.Client) -> None:
    text = pages.get("/scans/runs").text

    assert "Frame 3 of 12." in text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in text
    assert "refresh" not in pages.get("/scans/fake").text


def test_a_failed_scan_says_what_happened_and_offers_another_try(pages: httpx.Client) -> None:
    text = pages.get("/scans/broke").text

    assert "The decoder crashed." in text
    assert 'action="/scans/broke/rerun"' in text


def test_a_video_has_its_frames_as_a_table_and_links_to_its_moments(pages: httpx.Client) -> None:
    text = pages.get("/scans/film").text

    assert len(re.findall(r'<tr data-t="', text)) == 12
    assert 'href="/v1/scans/film/media#t=2.0"' in text
    assert "0:02.0 to 0:04.0" in text


def test_a_hostile_name_is_text(stub: Stub, pages: httpx.Client) -> None:
    stub.scan("evil", name=HOSTILE, report=plain_report(HOSTILE))

    for address in ("/", "/scans", "/scans/evil"):
        text = pages.get(address).text
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert "\\u202egpj.&lt;script&gt;" in text


def test_the_plain_form_hands_the_file_on_and_leads_to_its_scan(stub: Stub, pages: httpx.Client) -> None:
    answer = pages.post("/scans", files={"file": ("new.png", b"bytes", "image/png")})

    assert (answer.status_code, answer.headers["location"]) == (303, "/scans/sent9")
    assert stub.scans["sent9"]["name"] == "new.png"


def test_a_form_without_a_file_is_answered_in_words(pages: httpx.Client) -> None:
    empty = '--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--x--\r\n'

    answer = pages.post("/scans", content=empty, headers={"content-type": "multipart/form-data; boundary=x"})

    assert answer.status_code >= 400
    assert "No file came along." in answer.text


@pytest.mark.parametrize(
    ("step", "asked", "leads_to"),
    [
        ("cancel", ("POST", "/v1/scans/runs/cancel"), "/scans/runs"),
        ("rerun", ("POST", "/v1/scans/runs/rerun"), "/scans/runs"),
        ("delete", ("DELETE", "/v1/scans/runs"), "/scans"),
    ],
)
def test_a_step_is_done_by_the_api(
    stub: Stub, pages: httpx.Client, step: str, asked: tuple[str, str], leads_to: str
) -> None:
    answer = pages.post(f"/scans/runs/{step}")

    assert stub.asked == [asked]
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


def test_what_is_not_there_is_a_page_with_a_way_on(pages: httpx.Client) -> None:
    answer = pages.get("/scans/missing")

    assert answer.status_code == 404
    assert "There is no scan missing." in answer.text
    assert 'href="/"' in answer.text


def test_the_history_is_filtered_and_goes_on_with_the_same_filter(stub: Stub, pages: httpx.Client) -> None:
    for number in range(60):
        stub.scan(f"more{number}", name=f"more {number}.png", report=plain_report())

    text = pages.get("/scans", params={"verdict": "fake", "name": "more"}).text

    assert "/scans/more59" in text
    assert "/scans/real" not in text
    assert '<option value="fake" selected>' in text
    assert re.search(r'href="\?verdict=fake&amp;name=more&amp;cursor=50"', text)


def test_an_empty_history_says_where_to_begin(stub: Stub, pages: httpx.Client) -> None:
    stub.scans.clear()

    assert "Nothing has been scanned yet." in pages.get("/scans").text
    assert "What you will read" in pages.get("/").text


def test_a_batch_shows_its_items_their_failures_and_a_retry(stub: Stub, pages: httpx.Client) -> None:
    text = pages.get("/batches/night").text

    assert "It is empty." in text
    assert 'href="/v1/batches/night/results.csv"' in text
    assert "Retry 1 failed" in text
    assert pages.post("/batches/night/retry").headers["location"] == "/batches/night"
    assert stub.asked == [("POST", "/v1/batches/night/retry")]
    assert "a.png" not in pages.get("/batches/night", params={"verdict": "none"}).text


def test_nothing_is_offered_to_be_retried_where_it_would_fail_again(stub: Stub, pages: httpx.Client) -> None:
    stub.batches["night"]["retriable"] = 0

    assert "Retry" not in pages.get("/batches/night").text


def test_an_item_of_a_batch_has_its_verdict_and_can_be_looked_at_closer(
    stub: Stub, pages: httpx.Client
) -> None:
    assert 'href="/batches/night/items/0"' in pages.get("/batches/night").text
    text = pages.get("/batches/night/items/0").text
    assert "95 % interval 94\u00a0% to 99\u00a0%" in text
    assert 'href="/batches/night/items/1"' in text

    assert pages.post("/batches/night/items/0").headers["location"] == "/scans/closer"
    assert stub.scans["closer"]["name"] == "a.png"


def test_an_item_without_a_result_says_why(pages: httpx.Client) -> None:
    text = pages.get("/batches/night/items/2").text

    assert "It is empty." in text
    assert "Look closer" not in text
    assert pages.get("/batches/night/items/3").status_code == 404
    assert "This item has no result yet." in pages.get("/batches/day/items/1").text


def test_the_plain_forms_of_a_batch_hand_on_files_and_manifests(stub: Stub, pages: httpx.Client) -> None:
    files = [("media", ("a.png", b"a")), ("media", ("b.png", b"b"))]
    answer = pages.post("/batches", data={"name": "press"}, files=files)
    assert (answer.status_code, answer.headers["location"]) == (303, "/batches/night")
    assert stub.sent == [("name", "press"), ("media", ("a.png", b"a")), ("media", ("b.png", b"b"))]

    pages.post("/batches", files={"file": ("m.csv", b"sha256\n")})
    assert stub.sent == [("file", ("m.csv", b"sha256\n"))]
    assert pages.post("/batches/night/delete").headers["location"] == "/batches"


def test_days_of_the_history_are_whole_and_the_last_one_is_included(stub: Stub, pages: httpx.Client) -> None:
    text = pages.get("/scans", params={"since": "2026-11-24", "until": "2026-11-25"}).text

    assert stub.looked_for["since"] == "2026-11-24T00:00:00+00:00"
    assert stub.looked_for["until"] == "2026-11-26T00:00:00+00:00"
    assert 'type="date" value="2026-11-25"' in text
    assert '<option value="none">no verdict</option>' in text


def test_a_reason_is_told_in_words_in_a_list(pages: httpx.Client) -> None:
    text = pages.get("/scans").text

    assert "It flips." in text
    assert "The file is cut short." in text
    assert "Fetch it again" not in text


def test_models_are_listed_with_their_sums_and_cards(pages: httpx.Client) -> None:
    text = pages.get("/models").text

    assert "ef" * 32 in text
    assert "1.0\u00a0% of genuine media, measured on photographs" in text
    assert "# A card" in text


def test_a_locked_server_asks_for_a_key_and_goes_on_where_one_was(stub: Stub, pages: httpx.Client) -> None:
    stub.locked = True

    asked = pages.get("/scans/fake")
    assert asked.status_code == 401
    assert 'name="to" value="/scans/fake"' in asked.text

    taken = pages.post("/key", data={"key": " ts_good ", "to": "/scans/fake"})
    assert taken.headers["location"] == "/scans/fake"
    cookie = taken.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert pages.get("/scans/fake").status_code == 200

    pages.post("/key", data={"forget": "yes"})
    assert pages.get("/scans/fake").status_code == 401


def test_a_wrong_key_is_told_so(stub: Stub, pages: httpx.Client) -> None:
    stub.locked = True
    for none in ("secret", "ts_\u20ac", "ts_a b", "ts_\r\nSet-Cookie: a=b", "ts_" + 300 * "a"):
        answer = pages.post("/key", data={"key": none})
        assert (answer.status_code, "set-cookie" in answer.headers) == (422, False)
        assert "A key begins with ts_" in answer.text

    pages.post("/key", data={"key": "ts_bad"})

    assert "This key is not known here." in pages.get("/scans").text


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"]
)
def test_a_key_form_leads_nowhere_else(pages: httpx.Client, elsewhere: str) -> None:
    answer = pages.post("/key", data={"key": "ts_good", "to": elsewhere})

    assert answer.headers["location"] == "/"


def test_every_module_is_asked_for_by_another(pages: httpx.Client) -> None:
    modules = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "static").glob("*.js")}
    asked = {Path(name).name for text in modules.values() for name in re.findall(r'"\./(\w+\.js)"', text)}

    assert asked | {"page.js"} == set(modules)
