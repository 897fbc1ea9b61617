"""Drives many examinations at once, so that tiles of equal shape meet in one call of the detector.

A folder of small pictures asks for a tile each; alone they would reach ONNX Runtime one by one. Here
up to `window` examinations are under way, their tiles are scored together, and results come out in the
order the media went in. Nothing depends on who shares a batch: the detector scores each tile alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from detector.scores import Detect, Scores
from evidence.errors import MediaError
from evidence.medium import Pixels

Key = TypeVar("Key")
Given = TypeVar("Given", covariant=True)
Result = TypeVar("Result")
Found = TypeVar("Found", covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[Key, Result]):
    """What became of one medium: its findings or its error, and the milliseconds it took by stage."""

    key: Key
    result: Result | MediaError
    timings: dict[str, float]


@dataclass
class _Case(Generic[Key, Result]):
    """One examination under way; `waiting` are the tiles it wants scored."""

    key: Key
    examination: Generator[Pixels, Scores, Result] | None
    waiting: Pixels | None = None
    result: Result | MediaError | None = None
    timings: dict[str, float] = field(default_factory=lambda: {"look_ms": 0.0, "detect_ms": 0.0})

    def advance(self, scores: Scores | None) -> None:
        """Run the examination up to its next request, its end or its MediaError."""
        if self.examination is None:
            return
        started = time.perf_counter()
        self.waiting = None
        try:
            self.waiting = next(self.examination) if scores is None else self.examination.send(scores)
        except StopIteration as done:
            self.result = done.value
        except MediaError as error:
            self.result = error
        self.timings["look_ms"] += 1000 * (time.perf_counter() - started)


class Source(Protocol[Given, Found]):
    """Examinations in order, some of them not ready yet."""

    def take(self, wait: bool) -> tuple[Given, Generator[Pixels, Scores, Found] | MediaError] | None:
        """The next one; None when there is none, or when it is not ready and nobody wants to wait."""


def run(
    source: Source[Key, Result], detect: Detect, *, batch: int = 16, window: int = 32
) -> Iterator[Outcome[Key, Result]]:
    """The outcome of every examination, in order; an error in place of an examination passes through.

    `detect` scores uint8 (n, h, w, 3); tiles of one shape are gathered up to `batch` while more are
    ready. Raises what `detect` raises; no medium's MediaError stops another's.
    """
    under_way: deque[_Case[Key, Result]] = deque()
    while True:
        fullest = _fullest(under_way)
        while len(under_way) < window and _tiles(fullest) < batch:
            # Waiting while tiles wait could be for ever: what they belong to may hold up the source.
            following = source.take(wait=not under_way)
            if following is None:
                break
            under_way.append(_start(*following))
            fullest = _fullest(under_way)
        if not under_way:
            return
        if fullest:
            _score(_at_most(batch, fullest), detect)
        while under_way and (result := under_way[0].result) is not None:
            done = under_way.popleft()
            yield Outcome(done.key, result, done.timings)


def _start(key: Key, examination: Generator[Pixels, Scores, Result] | MediaError) -> _Case[Key, Result]:
    if isinstance(examination, MediaError):
        return _Case(key, None, result=examination)
    case = _Case(key, examination)
    case.advance(None)
    return case


def _fullest(cases: Iterable[_Case[Key, Result]]) -> list[_Case[Key, Result]]:
    """The cases that wait with tiles of the shape most tiles have; the earlier shape when it is a tie."""
    by_shape: dict[tuple[int, ...], list[_Case[Key, Result]]] = {}
    for case in cases:
        if case.waiting is not None:
            by_shape.setdefault(case.waiting.shape[1:], []).append(case)
    return max(by_shape.values(), key=_tiles, default=[])


def _tiles(cases: Iterable[_Case[Key, Result]]) -> int:
    return sum(len(case.waiting) for case in cases if case.waiting is not None)


def _at_most(batch: int, cases: list[_Case[Key, Result]]) -> list[_Case[Key, Result]]:
    """The first of the cases, and those behind it that fit into the same batch."""
    picked = cases[:1]
    for case in cases[1:]:
        if _tiles([*picked, case]) > batch:
            break
        picked.append(case)
    return picked


def _score(cases: list[_Case[Key, Result]], detect: Detect) -> None:
    requests = [case.waiting for case in cases if case.waiting is not None]
    started = time.perf_counter()
    tiles = requests[0] if len(requests) == 1 else np.concatenate(requests)
    scores = detect(tiles)
    milliseconds = 1000 * (time.perf_counter() - started) / len(tiles)
    first = 0
    for case, request in zip(cases, requests, strict=True):
        part = slice(first, first + len(request))
        first += len(request)
        case.timings["detect_ms"] += milliseconds * len(request)
        case.advance(scores.part(part))
