"""The report on a medium as a PDF to be printed and filed: A4, tagged, PDF/A-3a, without any network.

The only home of WeasyPrint, which the extra `pdf` installs. The words are those of the HTML report; the heat
map and the marks are drawn into the picture.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import ImageFile

from evidence.errors import OutputError, UsageError
from evidence.medium import Pixels
from evidence.thumbnails import shrunk
from evidence.verdict import SCHEMA, Region, Report
from provenance.beside import THUMBNAIL_PX
from touchstone.report import figures
from touchstone.report.article import FOLDER, article, environment
from touchstone.report.beside import Pair
from touchstone.report.item import ReportItem
from touchstone.report.sink import unwritable
from worker.pictures import coarse, heat_png

_PARTS = FOLDER / "pdf"
_TONES = {"fake": "#b3123d", "uncertain": "#8a5a00", "real": "#0b6b4f"}
# Its layout engine is one for the process; reports that are asked for together are drawn one by one.
_LOCK = threading.Lock()
_LINES = (((0, 0, 0), 2), ((255, 255, 255), 1))  # colours, and how often as thick as the inner one
_LONGEST_NAME = 48  # letters, of up to four bytes


class PdfWriter:
    """A PDF a medium: `path` itself for a `single` one, else "N-name.pdf" in the folder `path`.

    `on_written` is told of each with its report.
    Raises UsageError where WeasyPrint is missing or `path` is no folder, OutputError.
    """

    def __init__(
        self, path: Path, *, single: bool, on_written: Callable[[Path, Report], object] | None = None
    ) -> None:
        _weasyprint()
        if not single and path.is_file():
            raise UsageError(
                f"{path} is a file, and each of several media has a PDF of its own.", "Name a folder."
            )
        self._path, self._single, self._count = path, single, 0
        self._on_written = on_written
        try:
            if single:
                path.open("ab").close()  # said before the scan, not after it
            else:
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None

    def add(self, item: ReportItem) -> None:
        """Write the report on one medium."""
        self._count += 1
        name = Path(str(item.report.media["path"])).name[:_LONGEST_NAME]
        path = self._path if self._single else self._path / f"{self._count}-{name}.pdf"
        try:
            path.write_bytes(pdf_of(item))
        except OSError as error:
            raise unwritable(path, error) from None
        if self._on_written is not None:
            self._on_written(path, item.report)


def pdf_of(item: ReportItem, made_at: datetime | None = None) -> bytes:
    """The report as a PDF. Raises UsageError where WeasyPrint is missing, OutputError."""
    report = item.report
    text = (
        environment(_PARTS)
        .get_template("page.html")
        .render(
            report=report,
            made_at=made_at or datetime.now(UTC),
            version=version("touchstone"),
            schema=SCHEMA,
            style=Markup((_PARTS / "page.css").read_text(encoding="utf-8")),
            tone=_TONES.get(report.verdict or "", "#5c626b"),
            picture="" if item.preview is None else figures.preview_uri(_marked(item.preview, item)),
            heat=item.heat is not None,
            worst=figures.worst_frames(report.timeline) if report.timeline else (),
            left_out=False,
            pairs=_pairs(item),
            taken_over=item.taken_over,
            **(article(report) | {"carried": ""}),  # from paper nobody reads a proof back
        )
    )
    with _LOCK:
        return _drawn(text)


def _pairs(item: ReportItem) -> list[Pair]:
    """The pictures of the manifest, each beside the file's own with a frame drawn where they differ."""
    pairs = []
    for one in item.beside:
        own = None if item.preview is None else shrunk(item.preview, THUMBNAIL_PX).copy()
        if own is not None and one.differs is not None and one.differs.box is not None:
            height, width = own.shape[:2]
            left, top, right, bottom = one.differs.box
            corner, other = (
                (round(left * width), round(top * height)),
                (round(right * width), round(bottom * height)),
            )
            _frame(own, corner, other)
        shown = "" if own is None else figures.preview_uri(own)
        pairs.append(Pair(one.kind, one.title, figures.preview_uri(one.pixels), shown, one.differs))
    return pairs


def _weasyprint() -> Any:
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        import weasyprint
        import weasyprint.urls
    except (ModuleNotFoundError, OSError):  # the package, or Pango, which it draws with
        raise UsageError(
            "A PDF needs WeasyPrint and Pango, which are not installed.",
            "Install them: pip install 'touchstone[pdf]' and Debian's libpangoft2-1.0-0, or ask for HTML.",
        ) from None
    finally:  # WeasyPrint lets Pillow fill up damaged pictures, in the whole process
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    return weasyprint


def _drawn(html: str) -> bytes:
    weasyprint = _weasyprint()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    fetcher = weasyprint.urls.URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    try:
        made: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf(pdf_variant="pdf/a-3a")
    except (ValueError, OSError) as error:
        raise OutputError(f"The report cannot be drawn: {error}.", "Ask for HTML, and report this.") from None
    return made


def _marked(preview: Pixels, item: ReportItem) -> Pixels:
    """The preview with heat map, outline and regions drawn into it."""
    picture = preview.copy()
    if item.heat is not None:
        _lay_over(picture, coarse(item.heat), item.report)
    for number, region in enumerate(item.report.regions, 1):
        _mark(picture, region, item.report, str(number))
    return picture


def _lay_over(picture: Pixels, heat: NDArray[np.float32], report: Report) -> None:
    size = picture.shape[:2]
    overlay: Any = cv2.imdecode(np.frombuffer(heat_png(heat, size), np.uint8), cv2.IMREAD_UNCHANGED)
    opacity = overlay[..., 3:].astype(np.float32) / 255
    colour = overlay[..., 2::-1].astype(np.float32)
    picture[:] = (picture * (1 - opacity) + colour * opacity).round().astype(np.uint8)
    if report.threshold is not None:
        smooth = cv2.blur(np.nan_to_num(heat, nan=0.0), (3, 3))
        inside = cv2.resize(
            (smooth >= report.threshold.value).astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST
        )
        edges, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, edges, -1, (255, 255, 255), max(1, max(size) // 300))


def _mark(picture: Pixels, region: Region, report: Report, number: str) -> None:
    height, width = picture.shape[:2]
    across, down = width / (report.media["width"] or width), height / (report.media["height"] or height)
    left, top, right, bottom = region.box
    corner = (round(left * across), round(top * down))
    other = (round(right * across) - 1, round(bottom * down) - 1)
    thick = _frame(picture, corner, other)
    for colour, line in _LINES:
        cv2.putText(
            picture,
            number,
            (corner[0] + 4 * thick, corner[1] + 14 * thick),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4 * thick,
            colour,
            line * thick,
        )


def _frame(picture: Pixels, corner: tuple[int, int], other: tuple[int, int]) -> int:
    """Draw a rectangle that is seen on any ground; how thick its inner line is."""
    thick = int(max(1, max(picture.shape[:2]) // 300))
    for colour, line in _LINES:
        cv2.rectangle(picture, corner, other, colour, line * thick)
    return thick
