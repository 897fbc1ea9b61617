"""Many logits into one: tiles to a picture, maps to a heat map, frames to a video and its segments.

A picture is fake in one of two ways, as a whole or in a part. Both count, by the smooth maximum
log(exp(whole) + exp(part - margin)): monotone in every logit, and a part speaks only when it is
clearly stronger than a real picture's strongest part (`calibrate.py` measures the margin).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.thresholds import Calibration
from detector.tiles import CELL, SMALLEST, Tile
from evidence.verdict import Segment

Array = NDArray[np.float64]

PART_SHARE = 0.02  # of the picture's area: the strongest part that is looked at
PART_MARGIN = 2.0  # logits a part must exceed the whole by to weigh the same
VIDEO_SHARE = 0.1
VIDEO_MARGIN = 2.0
SHORTEST_SECONDS = 0.4  # and at least two frames: below that a segment is a glitch
LONGEST_GAP_SECONDS = 0.6  # fake stretches closer than this are one segment


def image_logit(tile_logits: ArrayLike, maps: ArrayLike, *, part_margin: float = PART_MARGIN) -> float:
    """One logit of a picture from its tiles' logits (N,) and maps (N, rows, columns).

    `whole` is the mean tile logit, `part` the mean of the top 2 % of map cells after a 5 x 5 mean,
    which leaves a lone hot cell powerless.
    """
    whole, part = parts(tile_logits, maps)
    return float(np.logaddexp(whole, part - part_margin))


def parts(tile_logits: ArrayLike, maps: ArrayLike) -> tuple[float, float]:
    """`whole` and `part` as `image_logit` combines them; `calibrate.py` fits the margin to these."""
    whole = float(np.mean(np.asarray(tile_logits, np.float64)))
    return whole, _top_mean(_smooth(np.asarray(maps, np.float64)), PART_SHARE)


def spread(maps: ArrayLike) -> float:
    """The standard error of a picture's logit, from how its tiles' quadrants disagree, in logits."""
    cells = np.asarray(maps, np.float64)
    rows, columns = cells.shape[1] // 2, cells.shape[2] // 2
    quadrants = np.stack(
        [
            cells[:, :rows, :columns].mean((1, 2)),
            cells[:, :rows, columns:].mean((1, 2)),
            cells[:, rows:, :columns].mean((1, 2)),
            cells[:, rows:, columns:].mean((1, 2)),
        ]
    )
    return float(quadrants.std(ddof=1) / np.sqrt(quadrants.size))


def stitch(maps: ArrayLike, tiles: Sequence[Tile], height: int, width: int) -> Array:
    """One grid of logits over the picture, a cell per 8 x 8 px; overlaps are averaged.

    Shape (max(height, 64) // 8, max(width, 64) // 8). A cell that no tile covered, when tiles were
    sampled, is nan: nobody looked there.
    """
    total = np.zeros((max(height, SMALLEST) // CELL, max(width, SMALLEST) // CELL))
    count = np.zeros_like(total)
    for cells, tile in zip(np.asarray(maps, np.float64), tiles, strict=True):
        place = (
            slice(tile.y // CELL, (tile.y + tile.height) // CELL),
            slice(tile.x // CELL, (tile.x + tile.width) // CELL),
        )
        total[place] += cells
        count[place] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def video_logit(frame_logits: ArrayLike, times: ArrayLike) -> float:
    """One logit of a video from its sampled frames: a robust whole and its strongest tenth.

    Frames weigh by the time they stand for. The whole is the mean after clipping to the 10th and
    90th percentile; the part is the mean of the highest tenth after a running median of three, so
    that one odd frame decides nothing.
    """
    clock, logits = _in_order(times, frame_logits)
    low, high = np.quantile(logits, (0.1, 0.9))
    whole = float(np.average(np.clip(logits, low, high), weights=_durations(clock)))
    return float(np.logaddexp(whole, _top_mean(_median3(logits), VIDEO_SHARE) - VIDEO_MARGIN))


def segments(times: ArrayLike, frame_logits: ArrayLike, calibration: Calibration) -> list[Segment]:
    """The stretches of a video that read as fake, in order of time.

    The logits are cut into level pieces by penalised change points (optimal partitioning, Jackson
    et al. 2005, arXiv math/0309285). A piece at or above `fake_at` opens a segment, which takes in
    its neighbours down to half way to `real_below`. A frame stands for the time up to the next one.
    """
    clock, logits = _in_order(times, frame_logits)
    if len(logits) < 2:
        return []
    step = float(np.median(np.diff(clock)))
    ends = np.append(clock[1:], clock[-1] + step)
    bounds = _change_points(logits)
    scores = [calibration.score(float(logits[a:b].mean())) for a, b in pairwise(bounds)]
    keep = 0.5 * (calibration.fake_at + calibration.real_below)
    found: list[tuple[int, int]] = []
    for first, last in _runs([score >= keep for score in scores]):
        if max(scores[first:last]) < calibration.fake_at:
            continue
        start, stop = bounds[first], bounds[last]
        if found and clock[start] - ends[found[-1][1] - 1] < LONGEST_GAP_SECONDS:
            start = found.pop()[0]
        found.append((start, stop))
    return [
        Segment(float(clock[a]), float(ends[b - 1]), calibration.score(float(logits[a:b].mean())))
        for a, b in found
        if b - a >= 2 and ends[b - 1] - clock[a] >= SHORTEST_SECONDS
    ]


def _top_mean(values: Array, share: float) -> float:
    flat = values.reshape(-1)
    count = max(1, round(share * flat.size))
    return float(np.partition(flat, flat.size - count)[-count:].mean())


def _smooth(maps: Array) -> Array:
    """The mean over 5 x 5 cells that lie inside the map, for each map of (N, rows, columns)."""
    for axis in (1, 2):
        reach = 2
        pad = [(0, 0)] * 3
        pad[axis] = (reach + 1, reach)
        length = maps.shape[axis]
        sums = np.cumsum(np.pad(maps, pad), axis=axis)
        window = np.take(sums, range(5, length + 5), axis) - np.take(sums, range(length), axis)
        index = np.arange(length)
        inside = np.minimum(index + reach, length - 1) - np.maximum(index - reach, 0) + 1
        shape = [1, 1, 1]
        shape[axis] = length
        maps = window / inside.reshape(shape)
    return maps


def _in_order(times: ArrayLike, logits: ArrayLike) -> tuple[Array, Array]:
    clock = np.asarray(times, np.float64)
    order = np.argsort(clock, kind="stable")
    return clock[order], np.asarray(logits, np.float64)[order]


def _durations(clock: Array) -> Array:
    """The time each frame stands for, half way to its neighbours; equal weights when times are equal."""
    if len(clock) < 2 or clock[-1] <= clock[0]:
        return np.ones(len(clock))
    middles = np.concatenate([clock[:1], 0.5 * (clock[1:] + clock[:-1]), clock[-1:]])
    return np.diff(middles)


def _median3(values: Array) -> Array:
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    middle: Array = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return middle


def _change_points(values: Array) -> list[int]:
    """Bounds [0, ..., n] of level pieces: least squares plus 4 sigma^2 log n for each piece.

    sigma comes from the median absolute difference of neighbours, so that the changes themselves
    do not raise it.
    """
    count = len(values)
    sigma = float(np.median(np.abs(np.diff(values)))) / 0.954 + 1e-3  # 0.954: of a unit normal
    penalty = 4.0 * sigma**2 * float(np.log(max(count, 3)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    best = np.zeros(count + 1)
    previous = np.zeros(count + 1, np.int64)
    best[0] = -penalty
    for end in range(1, count + 1):
        length = end - np.arange(end)
        cost = squares[end] - squares[:end] - (sums[end] - sums[:end]) ** 2 / length
        total = best[:end] + np.maximum(cost, 0.0) + penalty
        previous[end] = int(np.argmin(total))
        best[end] = total[previous[end]]
    bounds = [count]
    while bounds[-1] > 0:
        bounds.append(int(previous[bounds[-1]]))
    return bounds[::-1]


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Half-open ranges of consecutive true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
