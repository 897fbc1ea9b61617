"""Making fakes, starting batches and searching the history in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, expect

from tests.touchstone.web.browsing import focused, go_to
from tests.touchstone.web.conftest import plain_report
from tests.touchstone.web.stub import Stub


def test_a_hole_is_drawn_on_the_picture_as_a_rectangle_or_with_a_brush(
    page: Page, stub: Stub, address: str, photo_png: Path
) -> None:
    go_to(page, f"{address}/generate?system=filler")
    page.locator("#input").set_input_files(photo_png)
    canvas = page.locator("#canvas")
    expect(canvas).to_be_visible()
    width, height = (canvas.evaluate(f"canvas => canvas.{side}") for side in ("width", "height"))

    _drag(page, (0.25, 0.25), (0.5, 0.75))
    assert page.locator("#box").input_value() == f"{width // 4},{height // 4},{width // 4},{height // 2}"

    page.get_by_label("Brush").check()
    _drag(page, (0.1, 0.9), (0.9, 0.9))
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/generate/made")
    sent = dict(stub.sent)
    assert sent["box"] == ""
    name, data = sent["mask"]
    assert name == "mask.png"
    assert isinstance(data, bytes)
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert mask.shape == (height, width, 3)
    assert set(np.unique(mask[int(height * 0.9), width // 4 : width // 2])) == {255}
    assert not mask[: height // 2].any()


def test_files_and_a_folder_become_one_batch(
    page: Page, stub: Stub, address: str, photo_png: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "press"
    folder.mkdir()
    (folder / "inside.png").write_bytes(photo_png.read_bytes())
    (folder / "notes.txt").write_bytes(b"no picture")
    go_to(page, f"{address}/batches")
    expect(page.get_by_role("button", name="Examine all of them")).to_be_disabled()

    page.locator("#media").set_input_files(photo_png)
    page.locator("#media-folder").set_input_files(folder)
    expect(page.locator("#gathered")).to_contain_text("2 files")
    expect(page.locator("#gathered")).to_contain_text("1 left out, neither picture nor video")
    page.get_by_label("Name").first.fill("Press")
    page.get_by_role("button", name="Examine all of them").click()

    page.wait_for_url("**/batches/night")
    assert stub.sent == [
        ("name", "Press"),
        ("media", ("photo.png", photo_png.read_bytes())),
        ("media", ("press/inside.png", photo_png.read_bytes())),
    ]


def test_rows_of_a_batch_appear_as_they_are_examined(page: Page, stub: Stub, address: str) -> None:
    go_to(page, f"{address}/batches/day")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    expect(page.locator("#rows")).to_contain_text("Waiting")

    stub.items["day"][1] |= {"state": "done", "report": plain_report("b.png", "real")}
    stub.batches["day"] |= {"done": 2, "total": 3}

    expect(page.locator("#rows")).to_contain_text("Real")
    expect(page.locator("#standing")).to_contain_text("2 of 3 items")


def test_the_history_is_filtered_with_the_keyboard_alone(page: Page, stub: Stub, address: str) -> None:
    go_to(page, f"{address}/scans")

    page.locator("#name").focus()
    page.keyboard.type("clip")
    for _ in range(9):
        page.keyboard.press("Tab")
        if focused(page) == "Show":
            break
    page.keyboard.press("Enter")

    page.wait_for_url("**/scans?name=clip*")
    expect(page.locator("tbody tr")).to_have_count(1)


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the canvas, in shares of its sides, to another."""
    page.locator("#canvas").scroll_into_view_if_needed()
    seen = page.locator("#canvas").bounding_box()
    assert seen is not None
    x, y, width, height = (seen[name] for name in ("x", "y", "width", "height"))  # type: ignore[literal-required]
    page.mouse.move(x + start[0] * width, y + start[1] * height)
    page.mouse.down()
    page.mouse.move(x + end[0] * width, y + end[1] * height, steps=5)
    page.mouse.up()
