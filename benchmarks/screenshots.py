"""The pictures of docs/page.md: the page in a real Chromium, on a service of its own.

`python -m benchmarks.screenshots`, after `make services`. It shows scikit-image's CC0 photograph of a cup,
the same with the cup forged, and a clip over it whose middle seconds are forged.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from benchmarks.demo_media import CLIP_SECONDS, FORGED_SECONDS, FPS, LIMITS, MOTIF, make_media
from evidence.errors import DataError
from evidence.image import decode_image
from evidence.medium import Pixels
from evidence.video import write_video
from exports.editing import reconstruct
from exports.registry import registry

OUT = Path("docs") / "screens"
FORGER = "reconstruction-nearest-x8"
WINDOW_PX = (256, 384)  # height and width of the clip, which pans over the photograph
PATIENCE_MS = 120_000
SETTLE_MS = 1_500


def main() -> int:
    """Scan the cup in three forms and write a picture of each page that docs/page.md shows."""
    OUT.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise DataError("There is no Chromium to look with.", "Run make services.")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        real, forged, clip = _media(Path(scratch))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with _service(Path(scratch) / "data") as address:
            picture = _scanned(browser, address, forged)
            film = _scanned(browser, address, clip)
            _scanned(browser, address, real)
            _take(browser, address, "home", (1100, 700))
            _take(browser, picture, "picture", (1100, 820))
            _take(browser, film, "video", (1100, 1010), dark=True)
            _take(browser, picture, "narrow", (320, 900))
        browser.close()
    return 0


def _media(folder: Path) -> tuple[Path, Path, Path]:
    """The cup, the same with the cup forged, and the clip."""
    make_media(folder)
    real, forged = (folder / "media" / kind / MOTIF for kind in ("real", "forged"))
    forged = forged.rename(folder / "cup-forged.png")
    _, genuine = decode_image(real, LIMITS)
    rebuilt = reconstruct(registry().get(FORGER), genuine)
    clip = folder / "cup-clip.mp4"
    write_video(clip, _pan(genuine, rebuilt), FPS, crf=14)
    return real, forged, clip


def _pan(genuine: Pixels, rebuilt: Pixels) -> Iterator[Pixels]:
    height, width = WINDOW_PX
    count = int(CLIP_SECONDS * FPS)
    top = (genuine.shape[0] - height) // 2
    for number in range(count):
        left = round((genuine.shape[1] - width) * number / (count - 1))
        source = rebuilt if FORGED_SECONDS[0] <= number / FPS < FORGED_SECONDS[1] else genuine
        yield np.ascontiguousarray(source[top : top + height, left : left + width])


@contextmanager
def _service(data: Path) -> Iterator[str]:
    """`touchstone serve` on a free port, with its data in a folder of its own."""
    command = [sys.executable, "-m", "touchstone", "serve", "--port", "0", "--workers", "1"]
    environment = {**os.environ, "TOUCHSTONE_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            found = next((m for line in server.stdout if (m := re.search(r"http://\S+", line))), None)
            if found is None:
                raise DataError("touchstone serve ended at once.", "Run it by hand to see why.")
            yield found.group()
        finally:
            server.terminate()


def _scanned(browser: Browser, address: str, medium: Path) -> str:
    """Hand a medium in as a person does, and give the address of its page once the verdict is there."""
    with browser.new_context() as context:
        page = _open(context.new_page(), address)
        page.locator("#files").set_input_files(medium)
        page.wait_for_url("**/scans/*")
        expect(page.locator("blockquote")).to_be_visible(timeout=PATIENCE_MS)
        return page.url


def _take(browser: Browser, address: str, name: str, size: tuple[int, int], dark: bool = False) -> None:
    """A picture of the first screen of a page, in 256 colours so that it stays small."""
    window = ViewportSize(width=size[0], height=size[1])
    with browser.new_context(viewport=window, color_scheme="dark" if dark else "light") as context:
        page = _open(context.new_page(), address)
        worst = page.locator("#worst li").count()
        expect(page.locator("#worst canvas")).to_have_count(worst, timeout=PATIENCE_MS)
        page.wait_for_timeout(SETTLE_MS)  # the player hides the sign that it loads
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(256).save(OUT / f"{name}.png", optimize=True)


def _open(page: Page, address: str) -> Page:
    page.goto(address, wait_until="load")
    expect(page.locator("html.awake")).to_be_attached()
    return page


if __name__ == "__main__":
    sys.exit(main())
