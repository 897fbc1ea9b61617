"""The page on the real service: API, job store, a worker process, and the detector of one convolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from evidence.video import write_video
from tests.command_line import write_picture
from tests.tiny_detector import picture
from tests.touchstone.web.browsing import faults_of, go_to


def test_pictures_and_a_clip_that_are_handed_in_get_their_verdicts(
    chromium: Browser, serve_all: Callable[[], str], tmp_path: Path
) -> None:
    fake, real = write_picture(tmp_path / "red.png", 6), write_picture(tmp_path / "blue.png", -6)
    clip = tmp_path / "clip.mp4"
    leans = [-6.0] * 20 + [6.0] * 20 + [-6.0] * 20
    write_video(clip, [picture(64, 96, lean=lean, seed=i) for i, lean in enumerate(leans)], 10.0)
    address = serve_all()
    with chromium.new_context() as context:
        page = context.new_page()
        faults = faults_of(page)

        go_to(page, address)
        page.locator("#files").set_input_files([fake, real])
        verdicts = page.locator("#queued .ended .state")
        expect(verdicts).to_have_count(2)
        expect(verdicts.nth(0)).to_contain_text("Fake, probability of forgery")
        expect(verdicts.nth(1)).to_contain_text("Real, probability of forgery")

        page.reload()
        expect(page.locator("html.awake")).to_be_attached()
        page.locator("#files").set_input_files(clip)
        page.wait_for_url("**/scans/*")
        expect(page.locator("blockquote")).to_contain_text("this video")
        expect(page.locator("#film")).to_have_js_property("readyState", 4)
        expect(page.locator("#judged tr")).not_to_have_count(0)

        page.get_by_role("button", name="Examine again").click()
        expect(page.locator("blockquote")).to_be_visible()
        page.get_by_text("Delete", exact=True).click()
        page.get_by_role("button", name="Delete for good").click()
        expect(page.locator("tbody tr")).to_have_count(3)
        for path in ("/models", "/generate", "/batches"):
            answer = page.goto(address + path)
            assert answer is not None
            assert answer.status == 200
    assert faults == []
