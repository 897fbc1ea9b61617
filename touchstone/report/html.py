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

import jinja2
from markupsafe import Markup

from evidence.errors import OutputError
from evidence.verdict import SCHEMA, Report
from touchstone.report import figures, wording
from touchstone.report.item import ReportItem
from worker.pictures import coarse

_FOLDER = Path(__file__).parent

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
        self._environment = _environment()
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
                view |= self._pictures(item) | _facts(report)
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
            style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),
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


def _facts(report: Report) -> dict[str, Any]:
    """What an article says beside the pictures: sentences, plot, and the file's own facts in order."""
    media = report.media
    facts: list[tuple[str, object]] = [("SHA-256", media.get("sha256", ""))]
    if media.get("width") and media.get("height"):
        facts.append(("Picture", f"{media['width']} × {media['height']} px"))
    if media.get("size_bytes"):
        facts.append(("Size", wording.size(media["size_bytes"])))
    facts.append(("Type", " · ".join(str(media[key]) for key in ("mime", "codec") if media.get(key))))
    if jpeg := media.get("jpeg"):
        facts.append(("JPEG", f"quality {jpeg['quality']}, chroma {jpeg['sampling']}"))
    if media.get("duration_s"):
        facts.append(("Duration", wording.clock(media["duration_s"])))
    if media.get("frames") and media.get("kind") != "image":
        rate = f", {media['fps_mode']} rate" if media.get("fps_mode") else ""
        facts.append(("Frames", f"{media['frames']:,}{rate}"))
    if media.get("rotation"):
        facts.append(("Rotation", f"{media['rotation']}°"))
    return {
        "facts": [(name, value) for name, value in facts if value],
        "quote": wording.quotable(report),
        "caution": wording.caution(report),
        "stability": wording.stability(report),
        "false_alarms": wording.false_alarms(report),
        "timeline": figures.timeline(report),
        "claims": list(_claims(report)),
    }


def _claims(report: Report) -> Iterable[tuple[str, object]]:
    """What the file says of itself: Content Credentials and metadata, flat, in order."""
    for source, said in report.provenance.items():
        if isinstance(said, dict):
            yield from ((f"{source}: {name}", value) for name, value in said.items())
        elif isinstance(said, (list, tuple)):
            yield from ((source, value) for value in said)
        elif said:
            yield source, said


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in ("between", "percent", "clock", "size", "visible", "headline", "noun", "stretch"):
        environment.filters[name] = getattr(wording, name)
    return environment


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
