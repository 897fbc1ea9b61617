"""A detector's bias set to the photographs of one site, with proof that no more of them alarm.

Thresholds do not travel: the cameras and the delivery of a newsroom may read a little more or less as fake
than the photographs a detector was calibrated on. Genuine pictures of the site are enough to move the bias
by that difference (post-hoc correction of the intercept; King and Zeng 2001, section 4.1). Whether it helped
is told by leaving each picture out of the fit that judges it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import DataError

FEWEST = 50  # photographs; fewer do not tell where the middle of a site lies


@dataclass(frozen=True)
class SiteFit:
    """The calibration for a site, and what it was found to do to the site's own photographs.

    `shift` was added to the bias, in log odds. `alarms_after` counts each picture under the bias that the
    others gave. `at_most` bounds the rate behind it from above with 95 % certainty.
    """

    calibration: Calibration
    shift: float
    pictures: int
    alarms_before: int
    alarms_after: int
    at_most: float


def refit(calibration: Calibration, scored: Sequence[Scored]) -> SiteFit:
    """The fit to genuine pictures of a site, one for each scene or person.

    Raises DataError with fewer than `FEWEST` pictures, for a calibration that does not know how its own
    reals lay, and when more pictures would alarm than before.
    """
    if calibration.real_margin is None:
        raise DataError(
            "The calibration of this detector does not say how its genuine pictures lay.",
            "Use a detector that was published with touchstone 0.2 or later.",
        )
    if len(scored) < FEWEST:
        raise DataError(
            f"{len(scored)} photographs do not tell how a site differs.", f"Give {FEWEST} or more."
        )
    margins = np.array([margin(calibration, item) for item in scored])
    shifts = calibration.real_margin - np.array(
        [np.median(np.delete(margins, place)) for place in range(len(margins))]
    )
    before, after = int((margins >= 0).sum()), int((margins + shifts >= 0).sum())
    if after > before:
        raise DataError(
            f"With a bias set to them, {after} of the {len(scored)} photographs would be called fake instead "
            f"of {before}; the detector keeps its calibration.",
            "Give more photographs, from all the sources that the site has.",
        )
    shift = float(calibration.real_margin - np.median(margins))
    told = (
        f"{calibration.measured_on}; bias moved by {shift:+.2f} for {len(scored)} photographs of a site, of "
        f"which {before} alarmed before and {after} after"
    )
    moved = replace(
        calibration,
        bias=calibration.bias + shift,
        measured_on=told,
        buckets=tuple(replace(bucket, bias=bucket.bias + shift) for bucket in calibration.buckets),
    )
    return SiteFit(moved, shift, len(scored), before, after, _upper(after, len(scored)))


def margin(calibration: Calibration, item: Scored) -> float:
    """How far a picture lies above the threshold that holds for it, in log odds."""
    point = calibration.at(item.short_side, item.quality)
    fake_at = min(max(point.fake_at, 1e-12), 1 - 1e-12)
    return float(item.logit / point.temperature + point.bias - np.log(fake_at / (1 - fake_at)))


def real_margin(calibration: Calibration, scored: Sequence[Scored]) -> float:
    """The median `margin` of genuine pictures: what `refit` holds a site's own against."""
    return float(np.median([margin(calibration, item) for item in scored]))


def _upper(hits: int, count: int) -> float:
    """The one-sided 95 % bound of Clopper and Pearson (1934): the rate at which so few hits get rare."""
    low, high = hits / count, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        low, high = (rate, high) if _at_most(hits, count, rate) > 0.05 else (low, rate)
    return high


def _at_most(hits: int, count: int, rate: float) -> float:
    """The chance of at most `hits` in `count` draws, each at `rate`."""
    steps: NDArray[np.float64] = np.arange(hits + 1, dtype=np.float64)
    choose = np.cumsum(np.log(np.maximum(count - steps[:-1], 1)) - np.log(steps[1:]))
    logs = np.concatenate([[0.0], choose]) + steps * np.log(rate) + (count - steps) * np.log1p(-rate)
    return float(np.exp(logs).sum()) if rate < 1 else float(hits >= count)
