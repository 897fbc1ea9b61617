"""Scores, intervals and the false-alarm rate that a calibration states."""

import json

import numpy as np
import pytest

from detector.attribution import FamilyReading
from detector.odds import sigmoid
from detector.thresholds import Bucket, Calibration, bucket_name, conformal_bound


def test_the_conformal_bound_of_99_scores_at_one_percent_is_the_largest() -> None:
    bound, rate = conformal_bound(np.arange(99.0), 0.01)

    assert bound == 98.0
    assert rate == pytest.approx(0.01)


def test_too_few_scores_give_no_bound() -> None:
    assert conformal_bound(np.arange(98.0), 0.01) == (float("inf"), 0.0)


def test_a_new_draw_exceeds_the_conformal_bound_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    alpha, runs = 0.05, 4000
    draws = rng.standard_normal((runs, 101))

    exceeded = [draw[-1] > conformal_bound(draw[:-1], alpha)[0] for draw in draws]

    # Standard error of the rate over 4000 runs is 0.0034; three of them.
    assert np.mean(exceeded) == pytest.approx(5 / 101, abs=0.011)


def test_score_and_interval_follow_temperature_bias_and_spread() -> None:
    calibration = Calibration(temperature=2.0, bias=-1.0)

    assert calibration.score(2.0) == pytest.approx(0.5)
    assert calibration.interval(2.0, 0.0) == pytest.approx((0.5, 0.5))
    low, high = calibration.interval(2.0, 1.0)
    assert (low, high) == pytest.approx((sigmoid(-0.98), sigmoid(0.98)))


def test_the_interval_widens_with_the_doubt_in_the_fit() -> None:
    certain = Calibration().interval(3.0, 0.5)
    doubted = Calibration(covariance=(0.04, 0.0, 0.09)).interval(3.0, 0.5)

    assert doubted[0] < certain[0] < certain[1] < doubted[1]


def test_between_the_thresholds_the_word_is_uncertain() -> None:
    calibration = Calibration(fake_at=0.8, real_below=0.3)

    assert [calibration.verdict(s) for s in (0.29, 0.3, 0.79, 0.8)] == [
        "real",
        "uncertain",
        "uncertain",
        "fake",
    ]


def test_a_bucket_with_its_own_threshold_is_used_and_all_others_are_pooled() -> None:
    name = bucket_name(250, 75)
    bucket = Bucket(name, 2.0, 0.5, 0.95, 0.4, 0.008, 240, (0.0, 0.0, 0.0))
    calibration = Calibration(fake_at=0.9, n=1000, measured_on="held-out photographs", buckets=(bucket,))

    own = calibration.threshold_for(250, 75)
    pooled = calibration.threshold_for(2000, None)

    assert name == "side 200-399, quality 60-84"
    assert (own.name, own.value, own.n, own.measured_on) == (name, 0.95, 240, "held-out photographs")
    assert (pooled.name, pooled.value, pooled.n) == ("pooled", 0.9, 1000)


def test_a_calibration_survives_json_to_the_bit() -> None:
    bucket = Bucket(bucket_name(100, 50), 1 / 3, 0.1, 2 / 3, 0.2, 0.01, 120, (0.1, -0.02, 0.3))
    families = FamilyReading(("vae", "vq"), 1 / 7, 0.4, 0.9, 0.3, 61)
    calibration = Calibration(
        temperature=0.7, n=5, covariance=(0.1, 0.2, 0.3), buckets=(bucket,), families=families
    )

    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration
