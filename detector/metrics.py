"""How well logits tell fakes from reals: AUC, AP, EER, TPR at a false-alarm rate, calibration error.

Numpy only. `labels` are 0 real, 1 fake; scores of any scale, high = fake. Definitions: AUC by ranks with
ties at one half (Mann-Whitney); AP as the step sum over recall; EER where the miss and false-alarm
rates meet, as DeepfakeBench reads it; ECE with 15 even bins and both classes weighing the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float]


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The chance that a fake scores above a real, ties counting half; nan without both classes."""
    truth, values = _pair(labels, scores)
    fakes = int(truth.sum())
    reals = len(truth) - fakes
    if not fakes or not reals:
        return float("nan")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return float((ranks[truth == 1].sum() - fakes * (fakes + 1) / 2.0) / (fakes * reals))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Sum over thresholds of precision times the recall gained there; ties share one threshold."""
    truth, values = _pair(labels, scores)
    if not truth.sum():
        return float("nan")
    hits, alarms = _curve(truth, values)
    precision = hits / np.maximum(hits + alarms, 1)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / truth.sum())


def equal_error_rate(labels: ArrayLike, scores: ArrayLike) -> float:
    """The false-alarm rate where it is closest to the miss rate."""
    truth, values = _pair(labels, scores)
    fakes = truth.sum()
    if not fakes or fakes == len(truth):
        return float("nan")
    hits, alarms = _curve(truth, values)
    false_alarms = np.append(0.0, alarms / (len(truth) - fakes))
    misses = np.append(1.0, 1.0 - hits / fakes)
    return float(false_alarms[np.argmin(np.abs(misses - false_alarms))])


def tpr_at(labels: ArrayLike, scores: ArrayLike, false_alarm_rate: float) -> float:
    """The share of fakes above a threshold that at most `false_alarm_rate` of the reals exceed."""
    truth, values = _pair(labels, scores)
    fakes = truth.sum()
    if not fakes or fakes == len(truth):
        return float("nan")
    hits, alarms = _curve(truth, values)
    allowed = alarms <= false_alarm_rate * (len(truth) - fakes) + 1e-9
    return float(hits[allowed].max() / fakes) if allowed.any() else 0.0


def calibration_error(labels: ArrayLike, scores: ArrayLike, *, bins: int = 15) -> float:
    """Expected calibration error of scores 0..1, each class weighing one half."""
    truth, values = _pair(labels, scores)
    fakes = truth.sum()
    if not fakes or fakes == len(truth):
        return float("nan")
    weights = np.where(truth == 1, 0.5 / fakes, 0.5 / (len(truth) - fakes))
    place = np.minimum((values * bins).astype(int), bins - 1)
    mass = np.bincount(place, weights, bins)
    told = np.bincount(place, weights * values, bins)
    true = np.bincount(place, weights * truth, bins)
    return float(np.abs(told - true)[mass > 0].sum())


def bootstrap(
    metric: Metric,
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    draws: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    """A 95 % interval of a metric by drawing whole groups with replacement; (nan, nan) for one group.

    Pictures of one group (a source and its forgeries, a person, a video) are not independent: drawing
    pictures one by one would promise too narrow an interval.
    """
    truth, values = _pair(labels, scores)
    _, member = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    if count < 2:
        return float("nan"), float("nan")
    order = np.argsort(member, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(member[order])) + 1)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        rows = np.concatenate([parts[group] for group in rng.integers(count, size=count)])
        found.append(metric(truth[rows], values[rows]))
    low, high = np.nanquantile(found, (0.025, 0.975)) if np.isfinite(found).any() else (np.nan, np.nan)
    return float(low), float(high)


def _pair(labels: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    truth, values = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    if truth.shape != values.shape or truth.ndim != 1:
        raise ValueError(f"labels {truth.shape} and scores {values.shape} are not two rows of one length")
    return truth, values


def _curve(truth: Array, values: Array) -> tuple[Array, Array]:
    """Hits and false alarms at each distinct threshold, from the highest down."""
    order = np.argsort(-values, kind="stable")
    last = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    hits = np.cumsum(truth[order])[last]
    return hits, last + 1 - hits
