"""Attacks that know the detector's gradients: PGD, APGD and a patch, in NumPy over one function.

PGD is that of Madry et al. 2018 (1706.06083), APGD that of Croce and Hein 2020 (2003.01690), on the logit
itself, of which every loss for two classes is a monotone function. The gradient is always taken at whole
grey levels and carried over the rounding, since what is written is what has to turn the verdict; every
picture that seems to is then shown to the detector as a scan would. The libraries that have them (ART,
torchattacks, foolbox) round afterwards, where a change of one grey level falls apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from testsets.target import Oracle

Rng = np.random.Generator
Array = NDArray[np.float32]
Gradient = Callable[[Pixels], tuple[float, Array]]  # a picture's logit, and its slope for every value

_STEPS = 40  # that PGD plans for within its reach, as published
_MOMENTUM = 0.75
_IMPROVING = 0.75  # the share of steps that must have helped for APGD to keep their length


def pgd(pixels: Pixels, oracle: Oracle, gradient: Gradient, rng: Rng, *, eps: int) -> None:
    """Steps of 2.5 / 40 of `eps` along the sign of the gradient, from a random place within `eps`."""
    low, high = _ball(pixels, eps)
    current = np.clip(pixels + rng.uniform(-eps, eps, pixels.shape), low, high).astype(np.float32)
    path = _Path(oracle, gradient)
    while not oracle.done:
        _, slope = path.seen(current)
        current = np.clip(current + np.float32(2.5 * eps / _STEPS) * np.sign(slope), low, high)


def apgd(pixels: Pixels, oracle: Oracle, gradient: Gradient, rng: Rng, *, eps: int) -> None:
    """Steps with momentum from `2 eps` on; where they stop helping they are halved, from the best place."""
    low, high = _ball(pixels, eps)
    current = np.clip(pixels + rng.uniform(-eps, eps, pixels.shape), low, high).astype(np.float32)
    length, checkpoints = 2.0 * eps, _checkpoints((oracle.most or 100) - oracle.queries)
    before, best, best_slope = current, current, np.zeros_like(current)
    best_gap, best_at_last, length_at_last = math.inf, math.inf, 0.0
    gap, helped, last = math.inf, 0, 0
    path = _Path(oracle, gradient)
    for step in count():
        found, slope = path.seen(current)
        if oracle.done:
            return
        helped += found < gap
        gap = found
        if gap < best_gap:
            best, best_gap, best_slope = current, gap, slope
        if step in checkpoints:
            stuck = length == length_at_last and best_gap == best_at_last
            length_at_last, best_at_last = length, best_gap
            if helped < _IMPROVING * (step - last) or stuck:
                length, current, before, slope = length / 2, best, best, best_slope
            helped, last = 0, step
        ahead = np.clip(current + np.float32(length) * np.sign(slope), low, high)
        moved = current + np.float32(_MOMENTUM) * (ahead - current)
        moved += np.float32(1 - _MOMENTUM) * (current - before)
        before, current = current, np.clip(moved, low, high)


def patch(pixels: Pixels, oracle: Oracle, gradient: Gradient, rng: Rng, *, area: float) -> None:
    """One square of drawn place in which any colours may stand, from noise on, by shrinking steps."""
    height, width = pixels.shape[:2]
    side = max(1, min(round(math.sqrt(area * height * width)), height, width))
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    place = (slice(y, y + side), slice(x, x + side))
    current = pixels.astype(np.float32)
    current[place] = rng.uniform(0, 255, current[place].shape)
    planned, path = max(1, (oracle.most or 100) // 2), _Path(oracle, gradient)
    for step in count():
        _, slope = path.seen(current)
        if oracle.done:
            return
        length = 32 * 0.03 ** min(1.0, step / planned)  # from 32 grey levels down to one
        current[place] = np.clip(current[place] + np.float32(length) * np.sign(slope[place]), 0, 255)


class _Path:
    """The pictures an attack passes by; each that is the best so far is shown to the detector itself.

    The two may differ: of a third party's resizing the gradient knows an approximation.
    """

    def __init__(self, oracle: Oracle, gradient: Gradient) -> None:
        self._oracle, self._gradient, self._best = oracle, gradient, math.inf

    def seen(self, values: Array) -> tuple[float, Array]:
        """How far the rounded picture is from the other verdict, and the way there for every value."""
        picture = np.rint(values).astype(np.uint8)
        self._oracle.charge()
        logit, slope = self._gradient(picture)
        gap = self._oracle.gap_of(logit)
        if gap < self._best:
            self._best = gap
            self._oracle.ask(picture)
        return gap, -slope if self._oracle.fake else slope


def _ball(pixels: Pixels, eps: int) -> tuple[Array, Array]:
    wide = pixels.astype(np.float32)
    return np.maximum(wide - eps, 0), np.minimum(wide + eps, 255)


def _checkpoints(steps: int) -> set[int]:
    """When APGD looks back: first after 22 % of its steps, then in ever shorter whiles, 6 % at least."""
    at, length, found = 0.0, 0.22, set()
    while at < 1:
        at += length
        length = max(length - 0.03, 0.06)
        found.add(math.ceil(at * steps))
    return found
