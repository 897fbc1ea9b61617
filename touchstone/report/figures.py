"""The pictures of an HTML report: previews and heat as data URIs, outlines and timelines as SVG paths."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from evidence.verdict import Report, Segment, TimelinePoint
from worker.pictures import coarse, heat_png

PREVIEW_PX = 720
PREVIEW_QUALITY = 78
WORST = 5  # frames of a video that are pointed at


@dataclass(frozen=True)
class Timeline:
    """The plot of a video's scores in a box of 1000 x 100 units, y downwards.

    `line` and `dots` are SVG path data; `worst` is the (x, y) of the highest score; `ticks` are pairs of
    x in 0..1 and seconds; `start` and `end` are the seconds at its edges.
    """

    line: str
    dots: str
    worst: tuple[float, float]
    worst_point: TimelinePoint
    bands: tuple[tuple[float, float], ...]
    ticks: tuple[tuple[float, float], ...]
    start: float
    end: float


def preview_uri(pixels: Pixels) -> str:
    """A JPEG of at most PREVIEW_PX a side as a data URI."""
    height, width = pixels.shape[:2]
    scale = min(1.0, PREVIEW_PX / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _data_uri("image/jpeg", encode_jpeg(np.ascontiguousarray(pixels), PREVIEW_QUALITY))


def heat_uri(heat: NDArray[np.float32]) -> str:
    """The heat map as a small translucent PNG, one pixel a cell, to be stretched over the preview."""
    return _data_uri("image/png", heat_png(coarse(heat)))


def outline(heat: NDArray[np.float32], threshold: float) -> str:
    """SVG path data around the cells at or above `threshold`, in units of a cell, y downwards."""
    smooth = cv2.blur(np.nan_to_num(heat, nan=0.0), (3, 3))  # one noisy cell is no outline
    inside = np.pad(smooth >= threshold, 1)
    upright = (inside[:, 1:] != inside[:, :-1])[1:-1].T  # (columns + 1, rows)
    level = (inside[1:, :] != inside[:-1, :])[:, 1:-1]  # (rows + 1, columns)
    vertical = "".join(f"M{x} {y}v{length}" for x, y, length in _runs(upright))
    return vertical + "".join(f"M{x} {y}h{length}" for y, x, length in _runs(level))


def timeline(report: Report) -> Timeline | None:
    """The plot of the report's timeline, or None where there are fewer than two points."""
    points = report.timeline
    if len(points) < 2:
        return None
    start = min(0.0, points[0].t)
    end = max(float(report.media.get("duration_s") or 0.0), points[-1].t)
    span = max(end - start, 1e-6)

    def place(point: TimelinePoint) -> tuple[float, float]:
        return 1000 * (point.t - start) / span, 100 * (1 - point.fake_probability)

    worst = max(points, key=lambda point: point.fake_probability)
    places = [place(point) for point in points]
    return Timeline(
        line="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places),
        # A dot is a line of no length with round ends: it stays round when the box is stretched.
        dots="".join(f"M{x:.1f} {y:.1f}h0" for x, y in places) if len(places) <= 160 else "",
        worst=place(worst),
        worst_point=worst,
        bands=tuple(_band(part, start, span) for part in report.segments),
        ticks=tuple(((second - start) / span, second) for second in _round_seconds(start, end)),
        start=start,
        end=end,
    )


def worst_frames(points: Sequence[TimelinePoint]) -> tuple[TimelinePoint, ...]:
    """The worst frame, and others likelier forged than not, each of another moment; by time."""
    apart = (points[-1].t - points[0].t) / (4 * WORST)
    chosen: list[TimelinePoint] = []
    for point in sorted(points, key=lambda point: (-point.fake_probability, point.t)):
        if chosen and point.fake_probability < 0.5:
            break
        if all(abs(point.t - other.t) > apart for other in chosen):
            chosen.append(point)
        if len(chosen) == WORST:
            break
    return tuple(sorted(chosen, key=lambda point: point.t))


def _band(part: Segment, start: float, span: float) -> tuple[float, float]:
    """Left edge and width of a segment, inside the plot and wide enough to be seen."""
    left, right = (1000 * min(max((second - start) / span, 0.0), 1.0) for second in (part.start, part.end))
    return min(left, 997.5), max(right - left, 2.5)


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Each run of True in the rows of `mask`, as (row, start, length)."""
    for row, values in enumerate(mask):
        changes = np.flatnonzero(np.diff(np.pad(values.astype(np.int8), 1)))
        for start, end in zip(changes[::2], changes[1::2], strict=True):
            yield row, int(start), int(end - start)


def _round_seconds(start: float, end: float) -> Sequence[float]:
    """At most seven round times between start and end."""
    span = end - start
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    step = next((step for step in steps if span / step <= 6), 4 * 3600.0)
    first = int(np.ceil(start / step - 1e-9))
    last = int(np.floor(end / step + 1e-9))
    return [index * step for index in range(first, last + 1)]


def _data_uri(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
