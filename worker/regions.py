"""Where a picture reads as fake: the map's logits as probabilities, and the areas that stand out.

A cell of the map sees few pixels, so the strongest cell of a real picture is louder than the picture.
A cell therefore counts in full only as far as the whole agrees with it, or when it exceeds the margin
that `aggregate.image_logit` asks of a part.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.thresholds import Calibration
from detector.tiles import CELL
from evidence.verdict import Region

Grid = NDArray[np.float64]

SMOOTH = 5  # cells a side; as `aggregate.image_logit` smooths before it looks for a part
SMALLEST_AREA = 9  # cells; a lone hot cell is no area
MOST_AREAS = 8
REPORT_SIDE = 32  # cells a side of the heat map in a report


def probabilities(grid: Grid, whole: float, calibration: Calibration) -> NDArray[np.float32]:
    """The fake probability of each cell, float32 (rows, cols), from map logits; nan stays nan.

    `whole` is the picture's mean tile logit.
    """
    cells = _smooth(grid)
    reading = np.maximum(cells - calibration.part_margin, np.minimum(cells, whole))
    return calibration.scores(reading).astype(np.float32)


def areas(
    heat: NDArray[np.float32], calibration: Calibration, height: int, width: int
) -> tuple[tuple[Region, ...], float]:
    """The areas that read as fake, strongest first, and the share of the looked-at picture they cover.

    An area is connected, holds a cell at or above `fake_at` and reaches out to half way to `real_below`.
    Boxes are pixels of a picture of this height and width; the share is 0..1.
    """
    seen = np.isfinite(heat)
    if not (heat[seen] >= calibration.fake_at).any():
        return (), 0.0
    keep = 0.5 * (calibration.fake_at + calibration.real_below)
    warm = (seen & (np.nan_to_num(heat) >= keep)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(warm, connectivity=4)
    found, covered = [], 0
    for label in range(1, count):
        x, y, wide, tall, size = (int(value) for value in stats[label])
        inside = heat[labels == label]
        if size < SMALLEST_AREA or float(inside.max()) < calibration.fake_at:
            continue
        covered += size
        left, right = (min(width, column * CELL) for column in (x, x + wide))
        top, bottom = (min(height, row * CELL) for row in (y, y + tall))
        box = (left, top, right, bottom)
        found.append(Region(box, "area", round(float(inside.mean()), 4)))
    found.sort(key=lambda region: (-region.fake_probability, region.box))
    return tuple(found[:MOST_AREAS]), covered / max(1, int(seen.sum()))


def for_report(heat: NDArray[np.float32]) -> tuple[tuple[float | None, ...], ...]:
    """The heat map at no more than `REPORT_SIDE` cells a side, two decimals, None where nobody looked."""
    rows, columns = (min(side, REPORT_SIDE) for side in heat.shape)
    seen = np.isfinite(heat).astype(np.float32)
    size = (columns, rows)
    weight = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(np.nan_to_num(heat), size, interpolation=cv2.INTER_AREA)
    mean = np.round(total.astype(np.float64) / np.maximum(weight, 1e-6), 2)
    cells = mean.astype(object)
    cells[weight == 0] = None
    return tuple(map(tuple, cells.tolist()))


def _smooth(grid: Grid) -> Grid:
    """The mean over `SMOOTH` x `SMOOTH` cells that were looked at; nan stays nan."""
    seen = np.isfinite(grid).astype(np.float64)
    box = (SMOOTH, SMOOTH)
    weight = cv2.blur(seen, box, borderType=cv2.BORDER_CONSTANT)
    total = cv2.blur(np.nan_to_num(grid), box, borderType=cv2.BORDER_CONSTANT)
    return np.where(seen > 0, total / np.maximum(weight, 1e-9), np.nan)
