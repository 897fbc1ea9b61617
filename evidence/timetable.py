"""When each frame of a video is shown, and which packets must be decoded to see the wanted ones.

Reading a container without decoding it costs a hundredth of decoding it. From the packets' times
the wanted frames are chosen first; then only the stretch from the key frame before each to the
frame itself is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Sampling

MAX_KEYFRAME_GAP_SECONDS = 10.0
# A header may give the length of the sound, which outlasts the picture by up to so much.
SOUND_SLACK_SECONDS = 1.0


@dataclass(frozen=True)
class Timetable:
    """The packets of a video stream in file order: when each is shown, and which are key frames.

    `ticks` (n,) are presentation times from the start of the stream, in units of `tick_seconds`;
    `known` is False when packets lack them, `start` is the container's number for tick 0. `shown`
    marks what no edit list hides, `errors` counts what could not be read, `stated_seconds` is the
    length that the header claims.
    """

    ticks: NDArray[np.int64]
    key: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    known: bool
    tick_seconds: float
    start: int = 0
    stated_seconds: float | None = None
    errors: int = 0

    def order(self) -> NDArray[np.int64]:
        """The ticks of the shown frames, in the order of showing."""
        return np.unique(self.ticks[self.shown])

    def place(self, pts: int) -> int:
        """The position in file order of the one packet shown at the container's time `pts`, else -1."""
        places = np.flatnonzero(self.ticks == pts - self.start)
        return int(places[0]) if len(places) == 1 else -1

    def end_seconds(self) -> float:
        """When the last frame that is really there ends."""
        order = self.order()
        if not self.known or not len(order):
            return 0.0
        step = float(np.median(np.diff(order))) if len(order) > 1 else 0.0
        return (float(order[-1]) + step) * self.tick_seconds

    def seconds(self) -> float:
        """The length: as stated, or to the end of the last frame if that is later."""
        return max(self.end_seconds(), self.stated_seconds or 0.0)

    def fps_mode(self) -> Literal["constant", "variable"] | None:
        """Constant when all steps are the median one, within a tick or 1.5 ms; `None` if unknown."""
        order = self.order()
        if not self.known or len(order) < 2:
            return None
        steps = np.diff(order)
        # Containers that count milliseconds alternate between 33 and 34.
        slack = max(1.0, 0.0015 / self.tick_seconds)
        return "constant" if np.abs(steps - np.median(steps)).max() <= slack else "variable"


@dataclass(frozen=True)
class Plan:
    """Which frames to hand out (`due`, ascending ticks) and which packets to decode for them.

    `stretches` are (first, last) positions in file order, ascending and apart; `expected` counts
    the frames that were asked for, those that the file lost included; `seams` as in `MediaInfo`.
    """

    due: tuple[int, ...]
    stretches: tuple[tuple[int, int], ...]
    expected: int
    seams: tuple[tuple[int, int], ...]


def make_plan(
    table: Timetable,
    sampling: Sampling,
    *,
    max_frames: int,
    time_range: tuple[float, float] | None = None,
) -> Plan:
    """Choose frames of a known timetable.

    "every" takes the first frame at or after each multiple of `every_seconds`. More than
    `max_frames` are thinned evenly over the whole length (a longer interval, not an early end).
    `time_range` [start, end) in seconds keeps those of the whole's frames that lie in it, and
    `sampling.part` those of the numbers in it.
    """
    start, end = time_range or (0.0, table.seconds())
    order = table.order()
    keys = np.unique(table.ticks[table.key & table.shown])
    # What a cut-off file lost held as many frames a second as what is left.
    gone = table.seconds() - table.end_seconds() if time_range is None else 0.0
    share_lost = gone / max(table.end_seconds(), SOUND_SLACK_SECONDS) if gone > SOUND_SLACK_SECONDS else 0.0
    if sampling.mode == "keyframes" and _keys_are_dense(table, keys):
        wanted = keys
    elif sampling.mode == "all":
        wanted = order
    else:
        every = max(sampling.every_seconds, (end - start) / max_frames, table.tick_seconds)
        wanted = _on_grid(order, table.tick_seconds, every)
    if time_range is not None:
        seconds = wanted * table.tick_seconds
        wanted = wanted[(seconds >= start) & (seconds < end)]
    if len(wanted) > max_frames:
        wanted = wanted[np.linspace(0, len(wanted) - 1, max_frames).round().astype(int)]
    lost = round(len(wanted) * share_lost)
    if sampling.part is not None:
        first, last = sampling.part
        lost = lost if last >= len(wanted) else 0
        wanted = wanted[first:last]
    due = tuple(int(tick) for tick in wanted)
    spans = _spans(table, due)
    return Plan(due, _joined(spans), len(due) + lost, _seams(spans))


def _keys_are_dense(table: Timetable, keys: NDArray[np.int64]) -> bool:
    """True when no 10 s of what is there pass without a key frame."""
    edges = np.concatenate([[0.0], keys * table.tick_seconds, [table.end_seconds()]])
    return len(keys) > 0 and bool(np.diff(edges).max() <= MAX_KEYFRAME_GAP_SECONDS)


def _on_grid(order: NDArray[np.int64], tick_seconds: float, every: float) -> NDArray[np.int64]:
    """The first frame at or after each multiple of `every`.

    Half a tick of slack keeps 29.97 frames a second, stored in whole ticks, on its multiples.
    """
    seconds = order * tick_seconds
    grid = np.arange(0.0, seconds[-1] + every, every)
    places = np.searchsorted(seconds, grid - tick_seconds / 2)
    return order[np.unique(places[places < len(order)])]


def _spans(table: Timetable, due: tuple[int, ...]) -> list[tuple[int, int]]:
    """For each wanted frame, the packets from the key frame before it to the frame itself."""
    position = {int(tick): at for at, tick in enumerate(table.ticks) if table.shown[at]}
    key_places = np.flatnonzero(table.key)
    spans = []
    for last in (position[tick] for tick in due):
        # Pictures that follow a key frame in the file but precede it on screen need the one before.
        before = key_places[(key_places <= last) & (table.ticks[key_places] <= table.ticks[last])]
        spans.append((int(before[-1]) if len(before) else 0, last))
    return spans


def _joined(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The spans as stretches, joined where they touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def _seams(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Behind how many frames, and pictures decoded for them, no later frame needs an earlier packet."""
    seams: list[tuple[int, int]] = []
    pictures, reached = 0, -1
    for frames, (first, last) in enumerate(spans):
        if frames and first > reached:
            seams.append((frames, pictures))
        pictures += max(0, last - max(first - 1, reached))
        reached = max(reached, last)
    return (*seams, (len(spans), pictures)) if spans else ()
