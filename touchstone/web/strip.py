"""The heat strip under a video: a bar for each judged frame, the worst of them, and its times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evidence.verdict import Report, TimelinePoint
from touchstone.report import figures

LEVELS = 5  # colours of a bar, calm to hot; its height says the same
BOX = 1000.0


@dataclass(frozen=True)
class Strip:
    """The strip in a box of 1000 x 100 units, y downwards.

    `bars` are SVG paths by level of heat; `worst` the frames that read most as forged, in order of time;
    `plot` has the stretches that read as forged, the ticks, and the times at the edges.
    """

    bars: tuple[str, ...]
    worst: tuple[TimelinePoint, ...]
    plot: figures.Timeline


def heat_strip(report: Report) -> Strip | None:
    """The strip of the report's timeline, or None where there are fewer than two frames."""
    plot = figures.timeline(report)
    if plot is None:
        return None
    return Strip(_bars(report.timeline, plot.start, plot.end), figures.worst_frames(report.timeline), plot)


def _bars(points: Sequence[TimelinePoint], start: float, end: float) -> tuple[str, ...]:
    """One path a level; a bar reaches from half-way to the frame before to half-way to the next."""
    scale = BOX / max(end - start, 1e-6)
    middles = [(a.t + b.t) / 2 for a, b in pairwise(points)]
    edges = [start, *middles, end]
    paths = [""] * LEVELS
    for point, left, right in zip(points, edges, edges[1:], strict=False):
        level = min(int(point.fake_probability * LEVELS), LEVELS - 1)
        height = max(100 * point.fake_probability, 3.0)  # a calm frame is a judged frame all the same
        x, width = (left - start) * scale, (right - left) * scale
        paths[level] += f"M{x:.1f} 100v{-height:.1f}h{width:.1f}V100z"
    return tuple(paths)
