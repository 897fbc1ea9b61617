"""One self-contained HTML file for any number of media: verdicts, heat maps, timelines, and what they mean.

No network, no external script, style or font: a content security policy in the page forbids them, so a
hostile file name can do nothing. Items are written to disk as they arrive; memory holds one at a time.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from markupsafe import Markup

from evidence.errors import OutputError
from evidence.thumbnails import shrunk
from evidence.verdict import SCHEMA
from provenance.beside import THUMBNAIL_PX
from touchstone.report import figures, wording
from touchstone.report.article import FOLDER, article, environment
from touchstone.report.beside import Pair
from touchstone.report.item import ReportItem
from worker.pictures import coarse

# Without script the heat map shows at its usual strength; with it a slider appears.
_SCRIPT = (
    "document.documentElement.classList.add('js');"
    "addEventListener('input',e=>{if(e.target.matches('.strength'))"
    "e.target.closest('figure').style.setProperty('--heat',e.target.value/100)});"
)


@dataclass(frozen=True)
class HtmlOptions:
    """How large a report may grow.

    `preview_bytes` bounds all pictures together; real ones may use half of it, so that a folder of
    reals leaves room for what matters. After `full_items` items, those called real are a row of the
    table alone.
    """

    title: str = "Scan report"
    preview_bytes: int = 32_000_000
    full_items: int = 500


class HtmlWriter:
    """Writes an HTML report item by item; the file appears, whole, at `close`.

        with HtmlWriter(path) as writer:
            for item in items:
                writer.add(item)

    The context closes it, unless an error ends it. Unfinished parts lie in unnamed temporary files, so
    nothing is left behind whatever ends the process. A link is followed and stays; a device or a pipe is
    written to as it is, never replaced. Raises OutputError where the file cannot be written.
    """

    def __init__(
        self, path: Path, options: HtmlOptions | None = None, made_at: datetime | None = None
    ) -> None:
        self.path = path
        self.options = options or HtmlOptions()
        self.made_at = made_at or datetime.now(UTC)
        self._environment = environment()
        self._counts: Counter[str] = Counter()
        self._picture_bytes = 0
        self._target = Path(os.path.realpath(path))
        try:
            self._streams = _takes_a_stream(self._target)
            folder = None if self._streams else self._target.parent
            self._rows = _part(folder)
            self._articles = _part(folder)
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> HtmlWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def add(self, item: ReportItem) -> None:
        """Append one item, in the order of the call."""
        report = item.report
        number = self._counts.total() + 1
        self._counts[report.verdict or "none"] += 1
        full = report.verdict != "real" or number <= self.options.full_items
        view = {"number": number, "report": report, "full": full}
        try:
            self._rows.write(self._environment.get_template("row.html").render(view))
            if full:
                view |= self._pictures(item) | article(report)
                self._articles.write(self._environment.get_template("item.html").render(view))
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Put the finished report in place. Raises OutputError, and leaves nothing behind then."""
        try:
            self._finish()
        finally:
            self._discard()

    def _discard(self) -> None:
        """Let go of the parts; what a full disk kept them from flushing is of no use any more."""
        for part in (self._rows, self._articles):
            with contextlib.suppress(OSError):
                part.close()

    def _pictures(self, item: ReportItem) -> dict[str, Any]:
        """The preview, heat map and outline of an item, as far as the budget goes."""
        pictures: dict[str, Any] = {
            "preview": "",
            "heat": "",
            "outline": "",
            "cells": (0, 0),
            "left_out": False,
            "taken_over": item.taken_over,
            "pairs": (),
        }
        if item.preview is None:
            return pictures
        share = 0.5 if item.report.verdict == "real" else 1.0
        if self._picture_bytes >= share * self.options.preview_bytes:
            return pictures | {"left_out": True}
        pictures["preview"] = figures.preview_uri(item.preview)
        pictures["aspect"] = item.preview.shape[1] / item.preview.shape[0]
        if item.heat is not None:
            heat = coarse(item.heat)
            pictures["heat"] = figures.heat_uri(heat)
            pictures["cells"] = heat.shape
            if item.report.threshold is not None:
                pictures["outline"] = figures.outline(heat, item.report.threshold.value)
        if item.beside:
            own = figures.preview_uri(shrunk(item.preview, THUMBNAIL_PX))
            pictures["pairs"] = [
                Pair(one.kind, one.title, figures.preview_uri(one.pixels), own, one.differs)
                for one in item.beside
            ]
            self._picture_bytes += sum(len(pair.theirs) + len(own) for pair in pictures["pairs"])
        self._picture_bytes += len(pictures["preview"]) + len(pictures["heat"])
        return pictures

    def _finish(self) -> None:
        """Join head, table, articles and foot."""
        frame = self._environment.get_template("frame.html").render(
            title=self.options.title,
            made_at=self.made_at,
            version=version("touchstone"),
            schema=SCHEMA,
            counts=self._counts,
            total=self._counts.total(),
            style=Markup((FOLDER / "report.css").read_text(encoding="utf-8")),
            script=Markup(_SCRIPT),
            script_hash=base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode(),
        )
        head, middle, foot = frame.split("<!--cut-->")
        try:
            with self._whole() as whole:
                for text, part in ((head, self._rows), (middle, self._articles)):
                    whole.write(text)
                    part.seek(0)
                    shutil.copyfileobj(part, whole)
                whole.write(foot)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @contextlib.contextmanager
    def _whole(self) -> Iterator[IO[str]]:
        """Where the report is joined: a file beside the target that then takes its place, or a stream."""
        beside = self._target.with_name(f".{self._target.name}.{os.getpid()}.part")
        place = self._target if self._streams else beside
        try:
            with place.open("w", encoding="utf-8", errors="backslashreplace") as whole:
                yield whole
            if not self._streams:
                beside.replace(self._target)
        finally:
            beside.unlink(missing_ok=True)


def write_html(
    items: Iterable[ReportItem],
    path: Path,
    options: HtmlOptions | None = None,
    made_at: datetime | None = None,
) -> None:
    """Write a report of all `items` to `path`. Raises OutputError where that cannot be done."""
    with HtmlWriter(path, options, made_at) as writer:
        for item in items:
            writer.add(item)


def _takes_a_stream(target: Path) -> bool:
    """Whether a device or a pipe stands there; raises OSError for a folder and what cannot be looked at."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return not stat.S_ISREG(mode)


def _part(folder: Path | None) -> IO[str]:
    """A temporary text file without a name, on the disk the report will lie on, if on any."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace", dir=folder)


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The report {wording.visible(path)} cannot be written: {error.strerror or error}.",
        "Free space on that disk, or name another file with --html.",
    )
