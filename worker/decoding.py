"""Decodes ahead of the detector: threads open the next media and fetch their frames, in order, bounded.

The parsing itself happens in the decode children; a thread here waits for one of them. How far ahead
the threads may run is bounded in media and in bytes of pixels, so a folder of any size and pictures of
any size need the same memory.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from evidence.errors import MediaError
from evidence.medium import Coverage, Frame, MediaInfo
from provenance.examine import Declared
from provenance.perceptual import NO_MARKS, Fingerprint, Sketch
from worker.scan import Medium

AHEAD = 32  # media
PIXEL_BUDGET = 256 * 1024**2  # bytes of pixels under way; one medium alone may exceed it
FRAMES_AHEAD = 2  # of one video


class OpenMedium(Medium, Protocol):
    """A medium that holds a decode child until it is closed."""

    def close(self) -> None: ...


class Opens(Protocol):
    """Opens one medium by its path; `evidence.sandbox.DecoderPool.open` with its sampling bound."""

    def __call__(self, path: str) -> OpenMedium: ...


class Asks(Protocol):
    """Says what a file declares of itself; `provenance.examine.examine` with its pool bound."""

    def __call__(self, path: str) -> Declared: ...


class Fetched:
    """A medium whose frames a thread fetches.

    `seconds` is what decoding took in that thread, `declared_seconds` what asking took, `waited` what the
    taker of the frames waited for it.
    """

    def __init__(self, path: str, before: Fetched | None) -> None:
        self.path = path
        self.declared: Declared | None = None
        self.declared_seconds = 0.0
        self.seconds = 0.0
        self.waited = 0.0
        self.error: Exception | None = None
        self.opened = threading.Event()
        self.admitted = threading.Event()
        self._before = before
        self._abandoned = threading.Event()
        self._medium: OpenMedium | None = None
        self._sketch: Sketch | None = None
        self._frames: queue.Queue[Frame | Exception | None] = queue.Queue(FRAMES_AHEAD)

    @property
    def info(self) -> MediaInfo:
        """What is known of the file."""
        assert self._medium is not None
        return self._medium.info

    @property
    def coverage(self) -> Coverage:
        """How much was decoded; complete once the frames are exhausted."""
        assert self._medium is not None
        return self._medium.coverage

    @property
    def fingerprint(self) -> Fingerprint:
        """What it is known again by, of the frames so far; none unless it was asked for."""
        return NO_MARKS if self._sketch is None else self._sketch.fingerprint

    def frames(self) -> Iterator[Frame]:
        """The frames, as the thread delivers them; raises the error it met."""
        while True:
            started = time.perf_counter()
            frame = self._frames.get()
            self.waited += time.perf_counter() - started
            if frame is None:
                return
            if isinstance(frame, Exception):
                raise frame
            yield frame

    def fetch(self, ways: _Ways, budget: _Budget, stopped: threading.Event) -> None:
        """Ask what the file declares, open it and hand over its frames one by one; runs in a thread."""
        if stopped.is_set():
            self.admitted.set()
            return
        started = time.perf_counter()
        try:
            local = ways.reach(self.path)
            if ways.asks is not None:
                with suppress(MediaError):  # what is wrong with the file is said when it is opened
                    self.declared = ways.asks(local)
                self.declared_seconds = time.perf_counter() - started
                started = time.perf_counter()
            self._medium = ways.open_medium(local)
            self._sketch = Sketch(self._medium.info) if ways.fingerprints else None
        except Exception as error:  # whatever it is, the thread that waits for it must hear of it
            self.error = error
        self.seconds += time.perf_counter() - started
        # In order: a later medium must not take the bytes that an earlier one waits for.
        if self._before is not None:
            self._before.admitted.wait()
            self._before = None
        if self._medium is not None:
            budget.take(self, _bytes_of(self._medium.info))
        self.admitted.set()
        self.opened.set()
        if self._medium is not None:
            self._deliver(self._medium, stopped)

    def abandon(self) -> None:
        """Ask for no more frames, and make room: a thread that waits to deliver one comes to its end."""
        self._abandoned.set()
        with suppress(queue.Empty):
            while True:
                self._frames.get_nowait()

    def _deliver(self, medium: OpenMedium, stopped: threading.Event) -> None:
        frames = medium.frames()
        last: Exception | None = None
        while not (stopped.is_set() or self._abandoned.is_set()):
            started = time.perf_counter()
            try:
                frame = next(frames, None)
            except Exception as error:  # raised again in `frames`
                frame, last = None, error
            self.seconds += time.perf_counter() - started
            if frame is None:
                break
            if self._sketch is not None:
                self._sketch.add(frame)
            self._frames.put(frame)
        medium.close()
        self._frames.put(last)


class DecodeAhead:
    """Media in order, opened and fetched ahead by `threads` threads.

    `take(wait)` gives the next one, or None when it is not ready and nobody wants to wait, or when
    there is no more (`exhausted`). `release` a medium when its pixels are no longer held.
    """

    def __init__(
        self,
        paths: Iterable[str],
        open_medium: Opens,
        *,
        asks: Asks | None = None,
        reach: Callable[[str], str] = str,
        threads: int = 2,
        fingerprints: bool = False,
    ) -> None:
        self._paths = iter(paths)
        self._ways = _Ways(open_medium, asks, reach, fingerprints)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._budget = _Budget(PIXEL_BUDGET)
        self._stopped = threading.Event()
        self._coming: deque[Fetched] = deque()
        self._last: Fetched | None = None
        self._fill()

    @property
    def exhausted(self) -> bool:
        """Whether every medium was taken."""
        return not self._coming

    def take(self, wait: bool) -> Fetched | None:
        """The next medium, opened or failed."""
        if not self._coming or not (wait or self._coming[0].opened.is_set()):
            return None
        following = self._coming.popleft()
        following.opened.wait()
        self._fill()
        return following

    def release(self, medium: Fetched) -> None:
        """Give back the bytes of a medium, and the thread and child of one that was not read to its end."""
        medium.abandon()
        self._budget.give_back(medium)

    def close(self) -> None:
        """Stop fetching; threads that wait are let go."""
        self._stopped.set()
        for medium in self._budget.open_wide():
            medium.abandon()
        # Those that wait for a thread still get one, and end at once: of two that are cancelled while threads
        # take others, the later may run, and would wait for the earlier for ever.
        self._threads.shutdown(wait=False)

    def _fill(self) -> None:
        while len(self._coming) < AHEAD and (path := next(self._paths, None)) is not None:
            self._last = Fetched(path, self._last)
            self._coming.append(self._last)
            self._threads.submit(self._last.fetch, self._ways, self._budget, self._stopped)


@dataclass(frozen=True)
class _Ways:
    """How a medium is fetched: its file, what that declares, its frames, and whether they leave marks."""

    open_medium: Opens
    asks: Asks | None
    reach: Callable[[str], str]
    fingerprints: bool


class _Budget:
    """Bytes of pixels that may be under way at once; the first taker always gets what it asks for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[Fetched, int] = {}
        self._changed = threading.Condition()

    def take(self, medium: Fetched, amount: int) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: not self._taken or sum(self._taken.values()) + amount <= self._most
            )
            self._taken[medium] = amount

    def give_back(self, medium: Fetched) -> None:
        with self._changed:
            self._taken.pop(medium, None)
            self._changed.notify_all()

    def open_wide(self) -> list[Fetched]:
        """Let every taker pass from now on; who holds bytes."""
        with self._changed:
            self._most = 2**63
            self._changed.notify_all()
            return list(self._taken)


def _bytes_of(info: MediaInfo) -> int:
    """The pixels of one medium that are held at once: the frame looked at, the worst, those waiting."""
    frames = 1 if info.kind == "image" else 2 + FRAMES_AHEAD
    return 3 * info.width * info.height * frames
