"""How well logits tell fakes from reals: AUC, AP, EER, TPR at a false-alarm rate, calibration, risk.

Numpy only. `labels` are 0 real, 1 fake; scores of any scale, high = fake. Definitions: AUC by ranks with
ties at one half (Mann-Whitney); AP as the step sum over recall; EER where the miss and false-alarm
rates meet, as DeepfakeBench reads it; ECE (15 even bins) and Brier score with both classes weighing
the same; risk-coverage and its area AURC as Geifman and El-Yaniv 2017 (arXiv 1705.08500) have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
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


def brier(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean squared error of scores 0..1, each class weighing one half."""
    truth, values = _pair(labels, scores)
    if not truth.any() or truth.all():
        return float("nan")
    squares = (values - truth) ** 2
    return float(0.5 * (squares[truth == 1].mean() + squares[truth == 0].mean()))


def risk_coverage(labels: ArrayLike, scores: ArrayLike) -> Array:
    """The share of wrong answers among the k surest pictures, for k = 1 to all; scores 0..1.

    The answer is fake from one half on, and sureness the distance from it. Pictures that are equally sure
    share their mean error, so that their order does not matter.
    """
    truth, values = _pair(labels, scores)
    wrong = ((values >= 0.5) != (truth == 1)).astype(np.float64)
    sureness = np.abs(values - 0.5)
    _, tie = np.unique(-sureness, return_inverse=True)
    shared = (np.bincount(tie, wrong) / np.maximum(np.bincount(tie), 1))[tie]
    ordered = shared[np.argsort(-sureness, kind="stable")]
    return np.asarray(np.cumsum(ordered) / np.arange(1, len(ordered) + 1), np.float64)


def error_at(labels: ArrayLike, scores: ArrayLike, coverage: float) -> float:
    """The share of wrong answers when only the surest `coverage` of the pictures gets one."""
    risks = risk_coverage(labels, scores)
    return float(risks[max(0, int(np.ceil(coverage * len(risks) - 1e-9)) - 1)]) if len(risks) else np.nan


def aurc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The area under the risk-coverage curve: the mean error over all coverages."""
    risks = risk_coverage(labels, scores)
    return float(risks.mean()) if len(risks) else np.nan


def area_auc(values: ArrayLike, inside: ArrayLike, outside: ArrayLike) -> float:
    """AUC where each value stands for so much area `inside` the forgery and so much `outside` of it."""
    logits, hits, alarms = (np.asarray(part, np.float64).ravel() for part in (values, inside, outside))
    _, place = np.unique(logits, return_inverse=True)
    forged, real = np.bincount(place, hits), np.bincount(place, alarms)
    below = np.cumsum(real) - real / 2.0
    return float((forged * below).sum() / (forged.sum() * real.sum()))


def roc(labels: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    """False-alarm and hit rates at each distinct threshold, from (0, 0) to (1, 1)."""
    truth, values = _pair(labels, scores)
    hits, alarms = _curve(truth, values)
    fakes = max(float(truth.sum()), 1.0)
    reals = max(len(truth) - float(truth.sum()), 1.0)
    return np.append(0.0, alarms / reals), np.append(0.0, hits / fakes)


def intervals(
    figures: Callable[[Rows], Mapping[str, float]],
    groups: ArrayLike,
    *,
    draws: int = 500,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of several figures by drawing whole groups with replacement; nan for one group.

    `figures` are computed from the numbers of the rows drawn. Pictures of one group (a source and its
    forgeries, a person, a video) are not independent: drawing pictures one by one would promise too
    narrow an interval.
    """
    _, member = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    names = list(figures(np.arange(len(member))))
    if count < 2:
        return dict.fromkeys(names, (float("nan"), float("nan")))
    order = np.argsort(member, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(member[order])) + 1)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        rows = np.concatenate([parts[group] for group in rng.integers(count, size=count)])
        found = figures(rows)
        drawn.append([found[name] for name in names])
    table = np.array(drawn, np.float64)
    return {name: _middle_95(table[:, column]) for column, name in enumerate(names)}


def bootstrap(
    metric: Metric,
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike,
    *,
    draws: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of one metric, as `intervals` has it."""
    truth, values = _pair(labels, scores)
    found = intervals(lambda rows: {"it": metric(truth[rows], values[rows])}, groups, draws=draws, seed=seed)
    return found["it"]


def _middle_95(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
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
