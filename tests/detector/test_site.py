"""The bias set to a site: what moves, what is proven, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.entries import Entry
from detector.scoring import Scored
from detector.site import margin, real_margin, refit
from detector.thresholds import Bucket, Calibration, bucket_name
from evidence.errors import DataError

BUCKET = Bucket(bucket_name(300, 75), 1.0, 0.5, 0.8, 0.2, 0.01, 200, (0.0, 0.0, 0.0))
KNOWN = Calibration(
    fake_at=0.9, real_below=0.2, n=500, measured_on="reals", buckets=(BUCKET,), real_margin=-4.0
)


def photographs(logits: np.ndarray, quality: int = 100) -> list[Scored]:
    return [
        Scored(Entry(Path(f"{place}.jpg"), f"{place}.jpg", "real"), float(logit), 900, quality)
        for place, logit in enumerate(logits)
    ]


def test_a_site_that_reads_more_as_fake_alarms_less_afterwards() -> None:
    logits = np.random.default_rng(0).normal(0.2, 1.0, 200)  # the threshold is at a logit of 2.2

    found = refit(KNOWN, photographs(logits))

    assert found.alarms_before > 0
    assert found.alarms_after == 0
    assert found.shift < 0
    moved = [found.calibration.verdict(found.calibration.score(logit)) for logit in logits]
    assert "fake" not in moved
    assert real_margin(found.calibration, photographs(logits)) == pytest.approx(-4.0)


def test_every_operating_point_moves_alike_and_says_so() -> None:
    found = refit(KNOWN, photographs(np.full(60, -1.0)))

    assert found.calibration.bias - KNOWN.bias == pytest.approx(found.shift)
    assert found.calibration.buckets[0].bias - BUCKET.bias == pytest.approx(found.shift)
    assert "60 photographs of a site, of which 0 alarmed before and 0 after" in found.calibration.measured_on


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    assert refit(KNOWN, photographs(np.full(59, -1.0))).at_most == pytest.approx(1 - 0.05 ** (1 / 59))
    logits = np.append(np.full(99, -1.0), 50.0)
    assert refit(KNOWN, photographs(logits)).at_most == pytest.approx(0.0466, abs=1e-4)


def test_a_bias_that_would_make_more_photographs_alarm_is_refused() -> None:
    logits = np.append(np.full(70, -6.0), np.full(10, 0.0))  # most read as very real, some do not

    with pytest.raises(DataError, match="10 of the 80 photographs would be called fake instead of 0"):
        refit(KNOWN, photographs(logits))


def test_a_picture_is_held_against_the_threshold_of_its_own_quality() -> None:
    (lossless,), (small,) = photographs(np.zeros(1)), photographs(np.zeros(1), quality=75)

    assert margin(KNOWN, lossless) == pytest.approx(-np.log(9))
    assert margin(KNOWN, replace(small, short_side=300)) == pytest.approx(0.5 - np.log(4))


def test_too_few_photographs_and_too_old_a_calibration_are_refused() -> None:
    with pytest.raises(DataError, match="Give 50 or more"):
        refit(KNOWN, photographs(np.zeros(49)))
    with pytest.raises(DataError, match=r"touchstone 0\.2"):
        refit(replace(KNOWN, real_margin=None), photographs(np.zeros(60)))
