"""The curves of an evaluation as SVG path data in a box of 100 x 100 units, y downwards: no date, no font."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from detector.metrics import risk_coverage, roc

Array = NDArray[np.float64]
Ticks = tuple[tuple[float, str], ...]  # place in the box, and what stands there

BINS = 10
_MOST_POINTS = 400
_RATES = (0.001, 0.01, 0.1, 1.0)
_ERRORS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8)
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Curve:
    """One plot: its line, the line of no skill or of perfect calibration, and its axes."""

    title: str
    across: str
    up: str
    line: str
    guide: str
    x_ticks: Ticks
    y_ticks: Ticks


def curves(labels: Array, logits: Array, scores: Array) -> tuple[Curve, ...]:
    """ROC and DET from the logits, reliability and risk-coverage from the calibrated scores."""
    alarms, hits = roc(labels, logits)
    return (_roc(alarms, hits), _det(alarms, hits), _reliability(labels, scores), _risk(labels, scores))


def _roc(alarms: Array, hits: Array) -> Curve:
    def x(rates: Array) -> Array:
        return 100 + 100 / 3 * np.log10(np.maximum(rates, 1e-3))

    grid = np.geomspace(1e-3, 1, 40)
    return Curve(
        "ROC",
        "false alarms among reals",
        "fakes caught",
        _path(x(alarms), 100 - 100 * hits, steps=True),
        _path(x(grid), 100 - 100 * grid),
        _ticks(_RATES, lambda rate: float(x(np.array(rate)))),
        _ticks(_SHARES, lambda share: 100 - 100 * share),
    )


def _det(alarms: Array, hits: Array) -> Curve:
    """Both errors on the scale of the normal distribution (Martin et al. 1997)."""
    normal = NormalDist()
    lowest, highest = normal.inv_cdf(5e-4), normal.inv_cdf(0.9)

    def place(rate: float) -> float:
        z = normal.inv_cdf(min(max(rate, 5e-4), 0.9))
        return 100 * (z - lowest) / (highest - lowest)

    x = np.array([place(float(rate)) for rate in alarms])
    y = np.array([100 - place(1 - float(rate)) for rate in hits])
    return Curve(
        "DET",
        "false alarms among reals",
        "fakes missed",
        _path(x, y),
        "M0 100L100 0",
        _ticks(_ERRORS, place),
        _ticks(_ERRORS, lambda rate: 100 - place(rate)),
    )


def _reliability(labels: Array, scores: Array) -> Curve:
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    held = [bins == number for number in range(BINS) if (bins == number).any()]
    stated = np.array([scores[inside].mean() for inside in held])
    true = np.array([labels[inside].mean() for inside in held])
    ticks = _ticks(_SHARES, lambda share: 100 * share)
    return Curve(
        "Reliability",
        "stated probability of fake",
        "share that is fake",
        _path(100 * stated, 100 - 100 * true),
        "M0 100L100 0",
        ticks,
        _ticks(_SHARES, lambda share: 100 - 100 * share),
    )


def _risk(labels: Array, scores: Array) -> Curve:
    risks = risk_coverage(labels, scores)
    top = max(0.02, float(np.ceil(risks.max() * 50) / 50))
    covered = np.arange(1, len(risks) + 1) / len(risks)
    return Curve(
        "Risk and coverage",
        "share that gets an answer, the surest first",
        "wrong answers",
        _path(100 * covered, 100 - 100 * risks / top),
        "",
        _ticks(_SHARES, lambda share: 100 * share),
        _ticks(tuple(top * share for share in _SHARES), lambda risk: 100 - 100 * risk / top),
    )


def _path(x: Array, y: Array, *, steps: bool = False) -> str:
    """A line through the points, thinned evenly to what a screen can show."""
    keep = np.unique(np.linspace(0, len(x) - 1, _MOST_POINTS).round().astype(int))
    points = list(zip(x[keep].tolist(), y[keep].tolist(), strict=True))
    if not steps:
        return "M" + "L".join(f"{a:.2f} {b:.2f}" for a, b in points)
    (a, b), *rest = points
    return f"M{a:.2f} {b:.2f}" + "".join(f"H{a:.2f}V{b:.2f}" for a, b in rest)


def _ticks(values: Sequence[float], place: Callable[[float], float]) -> Ticks:
    return tuple((round(place(value), 2), f"{100 * value:.3g} %") for value in values)
