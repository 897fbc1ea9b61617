"""The pages in a real Chromium: no fault that axe finds, no console error, every step by keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from tests.touchstone.web.browsing import faults_of, focused, go_to
from tests.touchstone.web.conftest import plain_report
from tests.touchstone.web.stub import Stub

SCANS = ("fake", "real", "unclear", "damaged", "film", "waits", "runs", "broke", "stopped")
PAGES = (
    "/",
    "/scans",
    "/batches",
    "/batches/night",
    "/batches/day",
    "/batches/night/items/0",
    "/models",
    "/provenance",
    "/log",
    "/log?find=fake",
    "/log?find=real",
    "/key",
    "/scans/missing",
)
PAGES += tuple(
    f"/generate?system={name}"
    for name in ("dots", "shades", "poet", "filler", "extender", "smiler", "turner")
)
PAGES += tuple(f"/generate/{name}" for name in ("forged", "film", "making", "unmade"))
PAGES += ("/testsets", *(f"/testsets/{name}" for name in ("built", "leaky", "growing", "broken")))
PAGES += tuple(f"/scans/{name}" for name in SCANS)
# What colours and width can break; the tree that the other rules read is the same.
SEEN = {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable"]}
Serve = Callable[[FastAPI], str]


@pytest.mark.parametrize(
    ("width", "scheme", "rules"),
    [(1200, "light", None), (1200, "dark", SEEN), (320, "light", SEEN)],
    ids=["every rule", "dark", "narrow"],
)
def test_axe_finds_no_fault_and_nothing_is_wider_than_the_window(
    chromium: Browser, address: str, width: int, scheme: Any, rules: Any
) -> None:
    with chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        faults = faults_of(page)
        for path in PAGES:
            go_to(page, address + path)
            page.evaluate("document.querySelectorAll('details').forEach((closed) => { closed.open = true; })")
            violations = Axe().run(page, options=rules).response["violations"]
            found = [(rule["id"], rule["nodes"][0]["target"]) for rule in violations]
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (path, found, wide) == (path, [], 0)
        assert faults == []


def test_a_long_chance_leaves_the_verdict_beside_it_readable(chromium: Browser, address: str) -> None:
    with chromium.new_context(viewport={"width": 320, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{address}/scans")
        page.evaluate("for (const b of document.querySelectorAll('.chance b')) b.textContent = 'under 1 %'")
        gaps = page.evaluate(
            "[...document.querySelectorAll('.verdicts tr:has(.chance svg)')].map((row) =>"
            " row.querySelector('.chance svg').getBoundingClientRect().left"
            " - row.querySelector('.word').getBoundingClientRect().right)"
        )

    assert gaps
    assert min(gaps) >= 4, "in pixels: the gauge's point is wider than the gauge"


def test_axe_would_find_a_fault(page: Page, address: str) -> None:
    page.goto(address)
    page.evaluate("document.querySelector('label[for=files]').remove()")

    assert "label" in [rule["id"] for rule in Axe().run(page).response["violations"]]


def test_a_verdict_is_reached_with_the_keyboard_alone(page: Page, address: str) -> None:
    go_to(page, address)

    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "files"
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == "clip.mp4":
            break
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("Fake")


def test_arrows_go_from_judged_frame_to_judged_frame(page: Page, address: str) -> None:
    page.goto(f"{address}/scans/film")
    seek = page.locator("#seek")
    expect(page.locator("#film")).to_have_js_property("duration", 2)

    seek.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert seek.get_attribute("aria-valuetext") == "0:01.0: 5\u00a0% probability of forgery"
    page.keyboard.press("ArrowLeft")
    assert seek.get_attribute("aria-valuetext") == "0:00.5: 5\u00a0% probability of forgery"
    assert page.evaluate("document.getElementById('film').currentTime") == pytest.approx(0.5, abs=0.05)


def test_a_stretch_seeks_the_video_and_the_worst_frames_have_pictures(page: Page, address: str) -> None:
    page.goto(f"{address}/scans/film")

    page.get_by_role("link", name="0:02.0 to 0:04.0").click()

    expect(page.locator("#reading")).to_contain_text("0:02.0: 96")
    expect(page.locator("#worst canvas")).to_have_count(4)
    assert page.url.endswith("/scans/film")


def test_a_video_the_browser_cannot_play_keeps_its_findings(
    page: Page, stub: Stub, address: str, tmp_path: Path
) -> None:
    (tmp_path / "film" / "media").write_bytes(b"no video at all")

    page.goto(f"{address}/scans/film")

    expect(page.get_by_text("Your browser cannot play this video.")).to_be_visible()
    expect(page.locator("#film")).to_be_hidden()
    expect(page.locator("h1")).to_have_text("Fake")


def test_the_slider_fades_the_heat_map(page: Page, address: str) -> None:
    page.goto(f"{address}/scans/fake")
    heat = page.locator("img.heat")
    expect(heat).to_have_css("opacity", "0.85")

    page.locator("#strength").focus()
    page.keyboard.press("Home")

    expect(heat).to_have_css("opacity", "0")
    page.get_by_label("Original beside it").check()
    expect(page.locator(".stage.original")).to_be_visible()


def test_progress_arrives_as_events_and_the_verdict_takes_its_place(
    page: Page, stub: Stub, address: str
) -> None:
    go_on, end = threading.Event(), threading.Event()
    stub.events["runs"] = _told(go_on, end)
    page.goto(f"{address}/scans/runs")
    expect(page.locator("#said")).to_have_text("Frame 3 of 12.")

    go_on.set()
    expect(page.locator("#said")).to_have_text("Frame 7 of 12.")
    stub.scans["runs"] |= {"state": "done", "report": plain_report("runs.png")}
    end.set()

    expect(page.locator("h1")).to_have_text("Fake")
    expect(page.get_by_role("status")).to_contain_text("Fake. Touchstone finds that this picture")
    assert page.title() == "Fake: runs.png · Touchstone"


def test_where_no_events_come_the_page_asks(page: Page, stub: Stub, address: str) -> None:
    page.route("**/events", lambda route: route.fulfill(status=204))
    page.goto(f"{address}/scans/waits")
    expect(page.locator("h1")).to_have_text("Waiting")

    stub.scans["waits"] |= {"state": "done", "report": plain_report("waits.png", "real")}

    expect(page.locator("h1")).to_have_text("Real")


def test_one_file_leads_to_its_own_page(page: Page, address: str, photo_jpeg: Path) -> None:
    go_to(page, address)

    page.locator("#files").set_input_files(photo_jpeg)

    page.wait_for_url("**/scans/sent9")
    expect(page.locator(".file")).to_have_text("photo.jpg")


def test_several_files_are_followed_side_by_side(
    page: Page, stub: Stub, address: str, photo_jpeg: Path, photo_png: Path
) -> None:
    go_to(page, address)

    page.locator("#files").set_input_files([photo_jpeg, photo_png])
    rows = page.locator("#queued li")
    expect(rows.get_by_text("Waiting for a free worker")).to_have_count(2)
    by_name = {scan["name"]: scan for scan in stub.scans.values()}
    by_name["photo.jpg"] |= {"state": "done", "report": plain_report("photo.jpg")}
    by_name["photo.png"] |= {"state": "failed", "error": {"code": "x", "message": "The disk is full."}}

    expect(rows.nth(0)).to_contain_text("Fake, probability of forgery 97")
    expect(rows.nth(1)).to_contain_text("The disk is full.")
    expect(page.locator("#tally")).to_have_text("1 of 2 examined, 1 fake")


def test_a_paste_and_a_drop_are_taken_like_a_choice(page: Page, address: str) -> None:
    go_to(page, address)

    page.evaluate(_HAND_IN, ["drop", "dataTransfer", ["a.png", "b.png"]])
    page.evaluate(_HAND_IN, ["paste", "clipboardData", ["c.png"]])

    expect(page.locator("#queued .name a")).to_have_text(["a.png", "b.png", "c.png"])


def test_a_refused_file_says_why_and_can_be_sent_again(page: Page, address: str, photo_jpeg: Path) -> None:
    problem = {"status": 507, "json": {"title": "Full", "detail": "The disk is full. Delete old scans."}}
    page.route("**/v1/scans", lambda route: route.fulfill(**problem), times=1)
    go_to(page, address)
    page.locator("#files").set_input_files([photo_jpeg])
    expect(page.locator("#queued .state")).to_have_text("The disk is full. Delete old scans.")

    page.get_by_role("button", name="Try again: photo.jpg").click()

    page.wait_for_url("**/scans/sent9")


def test_without_script_a_file_is_sent_and_its_page_looks_again(
    chromium: Browser, stub: Stub, address: str, photo_jpeg: Path
) -> None:
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address)
        page.locator("#files").set_input_files(photo_jpeg)
        page.get_by_role("button", name="Examine").click()
        expect(page.locator("h1")).to_have_text("Waiting")

        stub.scans["sent9"] |= {"state": "done", "report": plain_report("photo.jpg", "real")}

        expect(page.locator("h1")).to_have_text("Real")
        expect(page.get_by_text("no sign that this picture was generated")).to_be_visible()


def _told(go_on: threading.Event, end: threading.Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events of a scan, the later ones when they are let go."""
    yield "running", {}
    yield "frame", {"done": 3, "of": 12}
    go_on.wait(60)
    yield "frame", {"done": 7, "of": 12}
    end.wait(60)
    yield "done", {}


_HAND_IN = """([kind, where, names]) => {
  const files = new DataTransfer();
  for (const name of names) files.items.add(new File(["x"], name, { type: "image/png" }));
  const event = new Event(kind, { bubbles: true, cancelable: true });
  Object.defineProperty(event, where, { value: files });
  document.body.dispatchEvent(event);
}"""
