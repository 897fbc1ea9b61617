"""What the pages that make fakes say: forms by what a generator takes, results labelled as forged."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.touchstone.web.stub import Stub


@pytest.mark.parametrize(
    ("system", "fields"),
    [
        ("dots", {"count", "seed", "truncation", "film", "gif", "grid"}),
        ("shades", {"count", "classes", "grid"}),
        ("poet", {"count", "caption", "grid"}),
        ("filler@1", {"input", "mask", "box", "grid"}),
        ("extender", {"input", "side", "extend", "grid"}),
        ("smiler", {"input", "box", "units", "expression", "film", "gif", "grid"}),
        ("turner", {"input", "box", "yaw", "grid"}),
    ],
)
def test_the_form_of_a_generator_shows_what_it_takes_and_nothing_else(
    pages: httpx.Client, system: str, fields: set[str]
) -> None:
    text = pages.get("/generate", params={"system": system}).text
    form = text[text.index("<form") :]

    assert set(re.findall(r'name="(\w+)"', form)) == fields | {"model"}
    assert f'name="model" value="{system.removesuffix("@1")}@1"' in form


def test_only_expressions_that_a_model_has_the_units_for_are_offered(pages: httpx.Client) -> None:
    text = pages.get("/generate", params={"system": "smiler"}).text

    assert re.findall(r'name="expression" value="([\w-]+)"', text) == ["neutral", "smile"]


def test_an_unknown_generator_is_said_beside_the_list_of_those_there_are(pages: httpx.Client) -> None:
    text = pages.get("/generate", params={"system": "nosuch"}).text

    assert "There is no such generator here." in text
    assert 'href="/generate?system=filler@1#wish"' in text


def test_a_wish_goes_to_the_api_with_its_pictures(stub: Stub, pages: httpx.Client) -> None:
    files = {"input": ("a.png", b"picture"), "mask": ("mask.png", b"mask")}

    answer = pages.post("/generate", data={"model": "filler@1", "box": ""}, files=files)

    assert (answer.status_code, answer.headers["location"]) == (303, "/generate/made")
    assert stub.sent == [
        ("model", "filler@1"),
        ("box", ""),
        ("input", ("a.png", b"picture")),
        ("mask", ("mask.png", b"mask")),
    ]


def test_what_was_made_is_labelled_as_forged_beside_what_it_was(pages: httpx.Client) -> None:
    text = pages.get("/generate/forged").text

    assert "<b>Forged.</b> Every one of these is synthetic." in text
    assert 'alt="Before: before-a.jpg"' in text
    assert 'alt="Forged: a-filler.png"' in text
    assert 'download="forged-a-filler.png"' in text
    assert "white where the picture was made" in text
    assert "box 1,2,30,40 · of a.png" in text
    assert "<video" in pages.get("/generate/film").text


def test_a_generation_that_runs_or_failed_says_so(pages: httpx.Client) -> None:
    assert 'max="48" value="3"' in pages.get("/generate/making").text
    assert "a is a video." in pages.get("/generate/unmade").text
