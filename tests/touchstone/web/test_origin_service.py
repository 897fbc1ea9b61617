"""Provenance and log of the real service in a real Chromium: a file that broke, a proof to keep, no mouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from provenance.signers import development_key
from provenance.signing import Statement, sign_file
from provenance.transparency.notes import PublicKey
from provenance.transparency.proofs import check
from provenance.transparency.reading import documents_in
from tests.conftest import MakePhoto
from tests.credentials import changed_png
from tests.touchstone.web.browsing import PATIENCE_MS, faults_of, focused, go_to

SPOT = (0.25, 0.5, 0.5, 0.75)  # left, top, right, bottom, in shares of the sides


@pytest.fixture
def address(serve_all: Callable[..., str]) -> str:
    return serve_all(signing=True)


@pytest.fixture
def edited(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A photograph that somebody signed, and in which somebody else painted a red box over `SPOT`."""
    pixels = make_photo(240, 320, 1)
    photo = tmp_path / "harbour.png"
    cv2.imwrite(str(photo), pixels[:, :, ::-1])
    signed = sign_file(
        photo, tmp_path / "signed.png", Statement("generated", "harbour.png", source_type="humanEdits"),
        development_key(tmp_path / "authority"),
    )  # fmt: skip
    left, top, right, bottom = (round(share * side) for share, side in zip(SPOT, (320, 240) * 2, strict=True))
    painted = np.array(pixels)
    painted[top:bottom, left:right] = (255, 0, 0)
    path = tmp_path / "edited.png"
    path.write_bytes(changed_png(signed.read_bytes(), painted))
    return path


def framed(section: Locator) -> list[float]:
    """Where the frame lies on the file's own picture, in shares of its sides."""
    return [
        float(number)
        for number in section.evaluate(
            "(section) => { const laid = section.querySelector('.laid');"
            " const all = laid.querySelector('img').getBoundingClientRect();"
            " const box = laid.querySelector('rect').getBoundingClientRect();"
            " return [(box.left - all.left) / all.width, (box.top - all.top) / all.height,"
            " (box.right - all.left) / all.width, (box.bottom - all.top) / all.height]; }"
        )
    ]


def shows_where_it_broke(page: Page) -> None:
    """Code, words, both pictures, and the frame on what was painted."""
    expect(page.get_by_text("assertion.dataHash.mismatch").first).to_be_visible()
    expect(page.get_by_text("The file is not as it was signed").first).to_be_visible()
    section = page.locator("section.beside", has_text="Changed after it was signed")
    expect(section).to_contain_text("harbour.png, when it was signed")
    pictures = section.locator("img")
    expect(pictures).to_have_count(2)
    for number in range(2):
        expect(pictures.nth(number)).not_to_have_js_property("naturalWidth", 0)
    assert framed(section) == pytest.approx(SPOT, abs=0.02)  # a cell of the comparison, and the line's width
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (320, "dark")])
def test_a_photograph_edited_after_it_was_signed_shows_where_it_broke_on_pages_and_in_the_report(
    chromium: Browser, address: str, edited: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    with chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    ) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        faults = faults_of(page)

        go_to(page, f"{address}/provenance")
        page.locator("#origin-file").set_input_files(edited)
        page.get_by_role("button", name="What does it say?").click()
        shows_where_it_broke(page)
        assert Axe().run(page).response["violations"] == []

        go_to(page, address)
        page.locator("#files").set_input_files(edited)
        page.wait_for_url("**/scans/*")
        expect(page.locator("blockquote")).to_be_visible()
        shows_where_it_broke(page)
        assert Axe().run(page).response["violations"] == []

        with page.expect_download() as kept:
            page.get_by_role("link", name="Download report").click()
        report = tmp_path / "report.html"
        kept.value.save_as(report)
        page.goto(report.as_uri())
        shows_where_it_broke(page)
        assert Axe().run(page).response["violations"] == []
    assert faults == []


def test_a_file_is_asked_about_and_its_proof_is_kept_with_the_keyboard_alone(
    page: Page, address: str, edited: Path, tmp_path: Path
) -> None:
    def go_on_to(words: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if focused(page) == words or page.evaluate("document.activeElement.id") == words:
                return
        raise AssertionError(f"Tab never reaches {words}")

    go_to(page, f"{address}/provenance")
    page.locator("#origin-file").set_input_files(edited)  # the system's own window, which no page drives
    go_on_to("Where was it seen?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Never seen before")).to_be_visible()
    page.locator("#origin-file").set_input_files(edited)
    go_on_to("What does it say?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Changed after it was signed")).to_be_visible()
    sha256 = page.locator("dl.sums code").inner_text()

    go_to(page, address)
    page.locator("#files").set_input_files(edited)
    page.wait_for_url("**/scans/*")
    expect(page.locator("blockquote")).to_be_visible()
    go_to(page, f"{address}/log")
    key = page.locator("dl.sums code").nth(1).inner_text()
    go_on_to("find")
    page.keyboard.type(sha256)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Entry 0")).to_be_visible()
    go_on_to("Download the proof")
    with page.expect_download() as kept:
        page.keyboard.press("Enter")
    proof = tmp_path / "proof.json"
    kept.value.save_as(proof)
    (document,) = documents_in(proof)
    assert check(document, PublicKey.read(key)).entry["media_sha256"] == sha256
    go_on_to("first")
    page.keyboard.type("1")
    go_on_to("Download the proof")
    with page.expect_download() as kept:
        page.keyboard.press("Enter")
    assert kept.value.suggested_filename == "consistency-1.json"
