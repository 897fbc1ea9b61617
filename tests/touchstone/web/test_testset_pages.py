"""What the pages of test sets say: a recipe and its plan, a set as it grows, what came of it, a refusal."""

from __future__ import annotations

import re

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.touchstone.web.browsing import PATIENCE_MS
from tests.touchstone.web.stub import Stub


def test_a_recipe_says_what_it_builds_and_offers_the_reals_there_are(pages: httpx.Client) -> None:
    ready = pages.get("/testsets").text
    assert "2 forgeries of each real, by splice. Attacked by square." in " ".join(ready.split())
    assert '<option value="">those of the recipe: photos</option>' in ready
    assert "name = &#34;&lt;quick&gt;&#34;" in ready
    without = pages.get("/testsets", params={"recipe": "faces"}).text
    assert "those of the recipe" not in without
    assert "<option>photos</option>" in without
    assert "There is no such recipe here." in pages.get("/testsets", params={"recipe": "nosuch"}).text


def test_the_plan_is_said_first_and_the_form_stays_as_it_was_filled_in(
    stub: Stub, pages: httpx.Client
) -> None:
    given = {"recipe": "quick-look", "source": "photos", "count": "40", "seed": "", "plan": "1"}
    text = pages.post("/testsets", data=given).text

    assert stub.wishes == [{"recipe": "quick-look", "source": "photos", "count": "40"}]
    assert "It comes to 120 pictures" in text
    assert 'type="number" min="1" inputmode="numeric" value="40"' in text


def test_a_set_is_begun_and_its_page_shown(stub: Stub, pages: httpx.Client) -> None:
    answer = pages.post("/testsets", data={"recipe": "quick-look", "force": "true"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/testsets/new")
    assert stub.wishes == [{"recipe": "quick-look", "force": "true"}]


def test_a_recipe_that_is_refused_stays_in_its_form_beside_the_reason(pages: httpx.Client) -> None:
    answer = pages.post("/testsets", data={"text": "wrong = <1>"})
    assert answer.status_code == 422
    assert "recipe.toml, line 4: &lt;b&gt;wrong&lt;/b&gt;." in answer.text
    assert re.search(r"<textarea[^>]*>wrong = &lt;1&gt;</textarea>", answer.text)


def test_a_set_that_leaks_says_so_and_has_no_download(pages: httpx.Client) -> None:
    leaky, built = pages.get("/testsets/leaky").text, pages.get("/testsets/built").text
    assert "<b>It leaks:</b> format" in leaky
    assert "Download, " not in leaky
    assert 'href="/v1/testsets/built/tar" download>Download, 4.1 MB</a>' in built
    assert "photos/7.jpg: It is damaged." in built
    assert 'alt="Reals above, forgeries of splice below"' in built


def test_a_set_is_cancelled_and_deleted_by_forms(stub: Stub, pages: httpx.Client) -> None:
    assert 'http-equiv="refresh"' in pages.get("/testsets/growing").text
    assert pages.post("/testsets/growing/cancel").headers["location"] == "/testsets/growing"
    assert "it was cancelled" in pages.get("/testsets/growing").text
    assert pages.post("/testsets/growing/delete").headers["location"] == "/testsets"
    assert "growing" not in stub.testsets


def test_a_plan_is_asked_for_by_keyboard_in_a_narrow_window(chromium: Browser, address: str) -> None:
    with chromium.new_context(viewport={"width": 320, "height": 800}) as context:
        page = context.new_page()
        page.goto(f"{address}/testsets")
        page.locator("#count").focus()
        page.keyboard.type("40")
        page.get_by_role("button", name="Say first what it comes to").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#plan")).to_have_text("It comes to 120 pictures", timeout=PATIENCE_MS)
        tops = page.evaluate("[...document.querySelectorAll('.sums dt')].map((dt) => dt.offsetTop)")

        assert tops == sorted(set(tops)), "each word on a line of its own"
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
        assert Axe().run(page).response["violations"] == []


def test_a_set_is_watched_until_it_is_there(stub: Stub, page: Page, address: str) -> None:
    page.goto(f"{address}/testsets/growing")
    expect(page.locator("#said")).to_have_text("30 of 120 pictures.", timeout=PATIENCE_MS)
    stub.testset("growing", "running", stage="forging", progress={"done": 60, "of": 120})
    expect(page.locator("#said")).to_contain_text("a second, about", timeout=PATIENCE_MS)
    expect(page.locator("#progress")).to_have_attribute("value", "60")
    stub.testset("growing")
    expect(page.locator("#testset .lead")).to_contain_text("40 reals and 80 forgeries", timeout=PATIENCE_MS)
