"""Measure how to read a detector: temperature, bias, thresholds with a stated false-alarm rate.

Works on arrays of picture logits as the scan path computes them, never on the network, so that what is
calibrated is what runs. Temperature and bias are Platt's logistic fit (1999) with both classes weighing
the same, so that a score of one half means even odds; thresholds are conformal (`thresholds.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.aggregate import PART_MARGIN
from detector.odds import sigmoid
from detector.thresholds import Bucket, Calibration, bucket_name, conformal_bound
from evidence.errors import DataError

Array = NDArray[np.float64]

BUCKET_REALS = 150  # fewer pictures than these, and a bucket is left to the pooled calibration
BUCKET_FAKES = 100


@dataclass(frozen=True)
class Sample:
    """Logits of pictures the detector has not learned from, and what decides their bucket.

    `labels` 0 real, 1 fake; `short_sides` in pixels; `qualities` the JPEG quality, 100 when lossless.
    `deliveries` names what was done to each picture on its way; None when nothing was.
    """

    logits: ArrayLike
    labels: ArrayLike
    short_sides: ArrayLike
    qualities: ArrayLike
    deliveries: ArrayLike | None = None


def calibrate(
    sample: Sample,
    *,
    measured_on: str,
    false_alarm_rate: float = 0.01,
    miss_rate: float = 0.05,
    part_margin: float = PART_MARGIN,
) -> Calibration:
    """The calibration of a detector on `sample`.

    A real picture drawn like the sample's is called fake with probability at most `false_alarm_rate`, a
    fake one real with at most `miss_rate`; the first holds for each delivery by itself, as far as it has
    pictures enough to say. Buckets with enough pictures get their own. DataError when there are too few
    pictures for the rate, or the logits do not rank fakes above reals.
    """
    logits = np.asarray(sample.logits, np.float64)
    labels = np.asarray(sample.labels, np.float64)
    ways = np.zeros(len(logits)) if sample.deliveries is None else np.asarray(sample.deliveries)
    pooled = _operating_point("pooled", logits, labels, ways, false_alarm_rate, miss_rate)
    if pooled is None:
        raise DataError(
            f"{int((labels == 0).sum())} real and {int((labels == 1).sum())} fake pictures do not give a "
            f"false-alarm rate of {false_alarm_rate:.2%}.",
            f"Use at least {int(np.ceil(1 / false_alarm_rate))} real pictures, and a detector whose logits "
            "are higher for fakes.",
        )
    names = np.array(
        [
            bucket_name(int(side), int(quality))
            for side, quality in zip(
                np.asarray(sample.short_sides), np.asarray(sample.qualities), strict=True
            )
        ]
    )
    buckets = []
    for name in sorted(set(names.tolist())):
        inside = names == name
        if (labels[inside] == 0).sum() < BUCKET_REALS or (labels[inside] == 1).sum() < BUCKET_FAKES:
            continue
        point = _operating_point(
            name, logits[inside], labels[inside], ways[inside], false_alarm_rate, miss_rate
        )
        if point is not None:
            buckets.append(point)
    return Calibration(
        temperature=pooled.temperature,
        bias=pooled.bias,
        fake_at=pooled.fake_at,
        real_below=pooled.real_below,
        false_alarm_rate=pooled.false_alarm_rate,
        measured_on=measured_on,
        n=pooled.n,
        covariance=pooled.covariance,
        part_margin=part_margin,
        buckets=tuple(buckets),
    )


def fit_part_margin(wholes: ArrayLike, parts: ArrayLike, labels: ArrayLike) -> float:
    """The margin at which parts alarm no more often than wholes do: measured on real pictures.

    By it the part's 99.5th percentile on reals falls to the whole's, so that the smooth maximum of
    `aggregate.image_logit` can at most double a rate of one half per cent. Never below zero.
    """
    real = np.asarray(labels) == 0
    if not real.any():
        raise DataError("There is no real picture to fit the margin on.", "Add real pictures.")
    high_whole, high_part = (float(np.quantile(np.asarray(v)[real], 0.995)) for v in (wholes, parts))
    return max(0.0, high_part - high_whole)


def _operating_point(
    name: str, logits: Array, labels: Array, ways: NDArray[Any], false_alarm_rate: float, miss_rate: float
) -> Bucket | None:
    """Fit and thresholds of one bucket; None when the pictures do not carry them."""
    reals, fakes = logits[labels == 0], logits[labels == 1]
    if len(fakes) < 2:
        return None
    bound, rate = conformal_bound(reals, false_alarm_rate)
    if not np.isfinite(bound):
        return None
    for way in np.unique(ways[labels == 0]):
        above, its_rate = conformal_bound(reals[ways[labels == 0] == way], false_alarm_rate)
        if np.isfinite(above):
            bound, rate = max(bound, above), max(rate, its_rate)
    slope, offset, covariance = _platt(logits, labels)
    if slope <= 0:
        return None
    floor, _ = conformal_bound(-fakes, miss_rate)
    # Fakes above the bound exceed it strictly, hence the next float.
    fake_at = float(np.nextafter(sigmoid(slope * bound + offset), 2.0))
    real_below = float(sigmoid(slope * -floor + offset)) if np.isfinite(floor) else 0.0
    return Bucket(
        name=name,
        temperature=1.0 / slope,
        bias=offset,
        fake_at=fake_at,
        real_below=min(real_below, fake_at),
        false_alarm_rate=rate,
        n=len(reals),
        covariance=covariance,
    )


def _platt(logits: Array, labels: Array) -> tuple[float, float, tuple[float, float, float]]:
    """Slope and offset of the logistic fit by Newton's method, and their covariance.

    Targets are smoothed as Platt does, (n + 1) / (n + 2), so that separable classes keep a finite slope.
    """
    fakes = float(labels.sum())
    reals = len(labels) - fakes
    targets = np.where(labels == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    weights = np.where(labels == 1, 0.5 / fakes, 0.5 / reals) * len(labels)
    scale = float(np.abs(logits).mean()) + 1e-12  # conditioning only: undone below
    design = np.stack([logits / scale, np.ones_like(logits)], 1)
    ridge = 1e-6 * np.eye(2)
    theta = np.zeros(2)
    loss = _cross_entropy(design @ theta, targets, weights)
    hessian = ridge
    for _ in range(100):
        fitted = sigmoid(design @ theta)
        gradient = design.T @ (weights * (fitted - targets))
        hessian = (design.T * (weights * fitted * (1 - fitted))) @ design + ridge
        step = np.linalg.solve(hessian, gradient)
        while (lower := _cross_entropy(design @ (theta - step), targets, weights)) > loss + 1e-12:
            step = step / 2
        theta, before, loss = theta - step, loss, lower
        if before - loss < 1e-10 * max(loss, 1.0):
            break
    covariance = np.linalg.inv(hessian)
    spread = (covariance[0, 0] / scale**2, covariance[0, 1] / scale, covariance[1, 1])
    return float(theta[0] / scale), float(theta[1]), (float(spread[0]), float(spread[1]), float(spread[2]))


def _cross_entropy(margins: Array, targets: Array, weights: Array) -> float:
    return float((weights * (np.logaddexp(0.0, margins) - targets * margins)).sum())
