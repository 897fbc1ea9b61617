"""Attacks that ask a detector and know nothing else of it, within a budget of questions.

The square attack (Andriushchenko et al. 2020, 1912.00049, Linf) sees scores. The boundary attack sees
verdicts alone: HopSkipJump (Chen, Jordan and Wainwright 2020, 1904.02144, L2), which needs fewer questions
than its namesake (Brendel et al. 2018, 1712.04248). Both work on whole grey levels, so that what was asked
is what will be written. The libraries that have them count no questions and draw from global state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from testsets.likeness import psnr_db
from testsets.target import Oracle

Rng = np.random.Generator

# From which share of the questions on the area of a square is halved once more.
_HALVED_AT = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_FIRST_DIRECTIONS = 24  # of the first estimate of the boundary's slope
_CLOSE = 0.005  # of the way between two pictures: where the boundary is known well enough


def square(pixels: Pixels, oracle: Oracle, rng: Rng, *, eps: int, area: float) -> None:
    """Change squares by `eps` grey levels up or down and keep what helps, until the verdict turns.

    It begins with stripes one pixel wide over the whole picture; `area` is the share of the first squares.
    """
    height, width, channels = pixels.shape
    low, high = _ball(pixels, eps)
    stripes = rng.choice((-eps, eps), (1, width, channels))
    current = _within(pixels.astype(np.int16) + stripes, low, high)
    gap = oracle.ask(current)
    while not oracle.done:
        side = _side(oracle, area, height, width)
        y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
        place = (slice(y, y + side), slice(x, x + side))
        change = rng.choice((-eps, eps), channels)
        tried = current.copy()
        tried[place] = _within(pixels[place].astype(np.int16) + change, low[place], high[place])
        if np.array_equal(tried, current):
            continue
        found = oracle.ask(tried)
        if found < gap:
            current, gap = tried, found


def boundary(pixels: Pixels, oracle: Oracle, rng: Rng, *, psnr: float) -> None:
    """Walk along the border between the verdicts towards the picture, until it is within `psnr` decibels.

    It sets out from the picture blurred, flattened or drowned in noise, whichever has the other verdict.
    """
    start = _start(pixels, oracle, rng)
    if start is None:
        return
    origin = pixels.astype(np.float32)
    nearest = _to_border(origin, start, oracle)
    step = 0
    while psnr_db(pixels, _rounded(nearest)) < psnr:
        step += 1
        towards = _slope(nearest, origin, oracle, rng, round(_FIRST_DIRECTIONS * math.sqrt(step)))
        length = float(np.linalg.norm(nearest - origin)) / math.sqrt(step)
        while not _other(ahead := np.clip(nearest + length * towards, 0, 255), oracle):
            length /= 2
            if length < 1:
                break
        else:
            nearest = _to_border(origin, ahead, oracle)


def _side(oracle: Oracle, area: float, height: int, width: int) -> int:
    """The side of the next square, by how much of the budget is spent, as the paper schedules it."""
    spent = oracle.queries / (oracle.most or 10_000)
    share = area / 2 ** sum(spent > at for at in _HALVED_AT)
    return max(1, min(round(math.sqrt(share * height * width)), height, width))


def _ball(pixels: Pixels, eps: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    wide = pixels.astype(np.int16)
    return np.maximum(wide - eps, 0), np.minimum(wide + eps, 255)


def _within(values: NDArray[np.int16], low: NDArray[np.int16], high: NDArray[np.int16]) -> Pixels:
    return np.clip(values, low, high).astype(np.uint8)


def _start(pixels: Pixels, oracle: Oracle, rng: Rng) -> NDArray[np.float32] | None:
    """A picture of the other verdict, the likest first; None where none of them has it."""
    for tried in _starts(pixels, rng):
        if _other(tried, oracle):
            return tried
    return None


def _starts(pixels: Pixels, rng: Rng) -> Iterator[NDArray[np.float32]]:
    origin = pixels.astype(np.float32)
    for sigma in (1.0, 2.0, 4.0):
        yield np.asarray(cv2.GaussianBlur(origin, (0, 0), sigma), np.float32)
        yield np.clip(origin + rng.normal(0, 8 * sigma, origin.shape).astype(np.float32), 0, 255)
    yield np.broadcast_to(origin.mean((0, 1)), origin.shape).astype(np.float32)
    for _ in range(8):
        yield rng.uniform(0, 255, origin.shape).astype(np.float32)


def _to_border(
    origin: NDArray[np.float32], there: NDArray[np.float32], oracle: Oracle
) -> NDArray[np.float32]:
    """The nearest picture of the other verdict on the way from `there` back, by halving."""
    near, far = 0.0, 1.0
    while far - near > _CLOSE:
        middle = (near + far) / 2
        if _other(origin + middle * (there - origin), oracle):
            far = middle
        else:
            near = middle
    return origin + np.float32(far) * (there - origin)


def _slope(
    at: NDArray[np.float32], origin: NDArray[np.float32], oracle: Oracle, rng: Rng, count: int
) -> NDArray[np.float32]:
    """Which way the other verdict lies: what it has in common, of so many steps into random directions.

    A step has one grey level a value at least, since less would be rounded away.
    """
    length = max(1.0, float(np.linalg.norm(at - origin)) / math.sqrt(at.size))
    total, signs = np.zeros_like(at), 0
    mean = np.zeros_like(at)
    for _ in range(count):
        direction = rng.standard_normal(at.shape, np.float32)
        sign = 1 if _other(np.clip(at + np.float32(length) * direction, 0, 255), oracle) else -1
        total, mean, signs = total + sign * direction, mean + direction, signs + sign
    total -= np.float32(signs / count) * mean  # the paper's baseline, which lowers the variance
    if abs(signs) == count:
        total = np.float32(np.sign(signs)) * mean
    return total / np.float32(max(1e-6, float(np.linalg.norm(total))))


def _other(values: NDArray[np.float32], oracle: Oracle) -> bool:
    """Whether these values, rounded as they would be written, have the other verdict."""
    return oracle.ask(_rounded(values)) <= 0


def _rounded(values: NDArray[np.float32]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
