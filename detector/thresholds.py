"""From a raw logit to a score, an interval and a verdict with a stated false-alarm rate.

A `Calibration` is what `calibrate.py` measured on held-out pictures: a temperature and a bias, and
two thresholds by split conformal prediction, class by class (Vovk, Gammerman and Shafer 2005; Sadinle,
Lei and Wasserman 2019, arXiv 1609.00451). At `fake_at` a real picture drawn like the calibration
reals is called fake with probability at most `false_alarm_rate`, whatever the network's faults;
`real_below` does the same for fakes called real. Between the two the answer is "uncertain".
Thresholds do not travel between qualities, so each bucket of short side and JPEG quality with
enough pictures has its own; all others use the pooled one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.attribution import FamilyReading
from detector.odds import sigmoid
from evidence.verdict import Threshold, Verdict

SHORT_SIDES = (0, 200, 400)  # lower edges of the buckets, in pixels
QUALITIES = (0, 60, 85)  # lower edges, in libjpeg quality; lossless pictures count as 100
Z = 1.96  # half width of a 95 % interval in standard errors


@dataclass(frozen=True)
class Bucket:
    """The operating point of one range of short sides and JPEG qualities."""

    name: str
    temperature: float
    bias: float
    fake_at: float
    real_below: float
    false_alarm_rate: float
    n: int
    covariance: tuple[float, float, float]


@dataclass(frozen=True)
class Calibration:
    """How to read a detector's logits; the defaults are those of a detector nobody calibrated.

    The score is sigmoid(logit / temperature + bias), at even odds of real and fake. `fake_at` and
    `real_below` are scores. `n` counts the real pictures behind `false_alarm_rate`, `measured_on`
    names them. `covariance` holds var(1/temperature), their covariance and var(bias). `part_margin`
    belongs to `aggregate.image_logit`; `families` to a detector that tells who made a forgery.
    `real_margin` is where the middle of the calibration reals lies (`site.py`).
    """

    temperature: float = 1.0
    bias: float = 0.0
    fake_at: float = 0.9
    real_below: float = 0.5
    false_alarm_rate: float = 1.0
    measured_on: str = "nothing: this detector was not calibrated"
    n: int = 0
    name: str = "pooled"
    covariance: tuple[float, float, float] = (0.0, 0.0, 0.0)
    part_margin: float = 2.0
    buckets: tuple[Bucket, ...] = ()
    families: FamilyReading | None = None
    real_margin: float | None = None

    def at(self, short_side: int | None = None, quality: int | None = None) -> Calibration:
        """The calibration that holds for a picture of this short side (px) and JPEG quality.

        `quality` None means lossless or unknown and counts as 100; `short_side` None asks for the
        pooled calibration.
        """
        if short_side is None:
            return self
        wanted = bucket_name(short_side, quality)
        for bucket in self.buckets:
            if bucket.name == wanted:
                return replace(self, **vars(bucket), buckets=())
        return self

    def score(self, logit: float) -> float:
        """The calibrated probability of fake, 0 to 1."""
        return float(sigmoid(logit / self.temperature + self.bias))

    def scores(self, logits: ArrayLike) -> NDArray[np.float64]:
        """`score` for an array of any shape."""
        return sigmoid(np.asarray(logits, np.float64) / self.temperature + self.bias)

    def interval(self, logit: float, spread: float) -> tuple[float, float]:
        """A 95 % interval of the score: `spread` is the standard error of the logit over the picture.

        To it comes the uncertainty of temperature and bias, by the delta method.
        """
        slope, mixed, offset = self.covariance
        fitted = slope * logit**2 + 2 * mixed * logit + offset
        half = Z * float(np.sqrt((spread / self.temperature) ** 2 + max(fitted, 0.0)))
        centre = logit / self.temperature + self.bias
        return float(sigmoid(centre - half)), float(sigmoid(centre + half))

    def verdict(self, score: float) -> Verdict:
        """The word for a score."""
        if score >= self.fake_at:
            return "fake"
        return "real" if score < self.real_below else "uncertain"

    def threshold_for(self, short_side: int | None = None, quality: int | None = None) -> Threshold:
        """The operating point for such a picture, as it stands in a report."""
        point = self.at(short_side, quality)
        return Threshold(
            name=point.name,
            value=point.fake_at,
            false_alarm_rate=point.false_alarm_rate,
            measured_on=point.measured_on,
            n=point.n,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` gives the same calibration back, to the bit."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Calibration:
        """The calibration `to_dict` wrote; unknown fields are an error of the caller (TypeError)."""
        known = dict(fields)
        buckets = tuple(
            Bucket(**{**bucket, "covariance": tuple(bucket["covariance"])})
            for bucket in known.pop("buckets", ())
        )
        covariance = tuple(known.pop("covariance", (0.0, 0.0, 0.0)))
        made = known.pop("families", None)
        families = made and FamilyReading(**{**made, "families": tuple(made["families"])})
        return cls(**known, covariance=covariance, buckets=buckets, families=families)


def bucket_name(short_side: int, quality: int | None) -> str:
    """The bucket a picture falls in, such as "side 200-399, quality 85+"."""
    return f"side {_range(short_side, SHORT_SIDES)}, quality {_range(quality or 100, QUALITIES)}"


def conformal_bound(scores: ArrayLike, alpha: float) -> tuple[float, float]:
    """The score that a new draw exceeds with probability at most `alpha`, and that probability.

    The k-th smallest of n scores, k = ceil((n + 1)(1 - alpha)); the next draw lies above it with
    probability at most (n + 1 - k) / (n + 1). With too few scores for `alpha` the bound is infinite
    and the probability 0.
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    count = len(ordered)
    # The subtraction keeps (n + 1)(1 - alpha) from being rounded up past an integer it equals.
    rank = int(np.ceil((count + 1) * (1 - alpha) - 1e-9))
    if rank > count:
        return float("inf"), 0.0
    return float(ordered[rank - 1]), (count + 1 - rank) / (count + 1)


def _range(value: int, edges: Sequence[int]) -> str:
    index = int(np.searchsorted(edges, value, side="right")) - 1
    return f"{edges[index]}-{edges[index + 1] - 1}" if index + 1 < len(edges) else f"{edges[index]}+"
