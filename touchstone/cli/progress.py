"""How far a scan is, on standard error: a bar at a terminal, JSON lines for programs, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from evidence.verdict import Report
from touchstone.report.wording import visible

Mode = Literal["auto", "json", "none"]


class Teller(Protocol):
    """Hears of every frame and every finished medium."""

    def frame(self, path: str, done: int, expected: int) -> None:
        """One more frame of a video was judged."""

    def item(self, report: Report) -> None:
        """One more medium is done."""


@contextmanager
def telling(mode: Mode, total: int) -> Iterator[Teller]:
    """Tell of a scan of `total` media; "auto" is a bar at a terminal and nothing elsewhere."""
    if mode == "json":
        yield _Json(total)
    elif mode == "auto" and sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield _Bar(progress, total)
    else:
        yield _Silence()


class _Silence:
    def frame(self, path: str, done: int, expected: int) -> None:
        """Nothing."""

    def item(self, report: Report) -> None:
        """Nothing."""


class _Bar:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._media = progress.add_task("media", total=total)
        self._frames = progress.add_task("frames", visible=False)

    def frame(self, path: str, done: int, expected: int) -> None:
        self._progress.update(
            self._frames,
            description=visible(path)[-40:],
            completed=done,
            total=expected,
            visible=expected > 1,
        )

    def item(self, report: Report) -> None:
        self._progress.update(self._frames, visible=False)
        self._progress.advance(self._media)


class _Json:
    """`{"event": "frame" | "item", ...}`, one object a line; frames at most ten times a second."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._last = 0.0

    def frame(self, path: str, done: int, expected: int) -> None:
        now = time.monotonic()
        if expected > 1 and (done == expected or now - self._last >= 0.1):
            self._last = now
            self._say({"event": "frame", "path": path, "done": done, "total": expected})

    def item(self, report: Report) -> None:
        self._done += 1
        self._say(
            {
                "event": "item",
                "path": report.media["path"],
                "status": report.status,
                "verdict": report.verdict,
                "done": self._done,
                "total": self._total,
            }
        )

    def _say(self, event: dict[str, object]) -> None:
        print(json.dumps(event), file=sys.stderr, flush=True)
