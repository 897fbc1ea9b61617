"""Calibration on simulated logits whose truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.aggregate import image_logit
from detector.calibrate import Sample, calibrate, fit_part_margin
from detector.thresholds import bucket_name
from evidence.errors import DataError


def sample(rng: np.random.Generator, count: int, *, shift: float = 0.0, side: int = 300) -> Sample:
    """Logits for which the true log odds are 2 (logit - shift): classes at shift +- 1, deviation 1."""
    labels = np.repeat([0, 1], count)
    logits = rng.normal(2.0 * labels - 1.0 + shift, 1.0)
    return Sample(logits, labels, np.full(2 * count, side), np.full(2 * count, 100))


def joined(*samples: Sample) -> Sample:
    fields = ("logits", "labels", "short_sides", "qualities")
    return Sample(*(np.concatenate([getattr(s, name) for s in samples]) for name in fields))


def test_temperature_and_bias_of_two_normals_are_found() -> None:
    found = calibrate(sample(np.random.default_rng(0), 20_000, shift=0.5), measured_on="simulated")

    # Log odds of N(1.5, 1) against N(-0.5, 1): 2 x - 1. Standard errors are about 0.02.
    assert 1 / found.temperature == pytest.approx(2.0, abs=0.08)
    assert found.bias == pytest.approx(-1.0, abs=0.08)


def test_reals_of_the_same_kind_are_called_fake_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(40):
        found = calibrate(sample(rng, 500), measured_on="simulated", false_alarm_rate=0.01)
        fresh = rng.normal(-1.0, 1.0, 2000)
        rates.append(np.mean(found.scores(fresh) >= found.fake_at))

    assert found.false_alarm_rate <= 0.01
    # The mean over 40 calibrations has a standard error of about 0.0007.
    assert np.mean(rates) == pytest.approx(found.false_alarm_rate, abs=0.0025)


def test_fakes_are_called_real_no_more_often_than_asked() -> None:
    rng = np.random.default_rng(2)
    found = calibrate(sample(rng, 4000), measured_on="simulated", miss_rate=0.05)

    missed = np.mean(found.scores(rng.normal(1.0, 1.0, 20_000)) < found.real_below)

    assert missed == pytest.approx(0.05, abs=0.012)
    assert found.real_below < found.fake_at


def test_a_bucket_with_enough_pictures_has_its_own_threshold() -> None:
    rng = np.random.default_rng(3)
    mixed = joined(
        sample(rng, 400, side=300), sample(rng, 400, shift=2.0, side=1000), sample(rng, 20, side=100)
    )

    found = calibrate(mixed, measured_on="simulated")

    assert [bucket.name for bucket in found.buckets] == [bucket_name(300, 100), bucket_name(1000, 100)]
    shifted = found.at(1000)
    assert shifted.bias / (1 / shifted.temperature) == pytest.approx(-2.0, abs=0.4)
    assert np.mean(shifted.scores(rng.normal(1.0, 1.0, 4000)) >= shifted.fake_at) < 0.03
    assert found.at(100).name == "pooled"


def test_separable_classes_keep_finite_scores() -> None:
    labels = np.repeat([0, 1], 200)
    found = calibrate(
        Sample(labels * 10.0, labels, np.full(400, 300), np.full(400, 100)), measured_on="simulated"
    )

    assert 0.0 < found.score(0.0) < 0.05 < 0.95 < found.score(10.0) < 1.0
    assert found.verdict(found.score(10.0)) == "fake"
    assert found.verdict(found.score(0.0)) == "real"


def test_too_few_reals_for_the_rate_are_refused() -> None:
    with pytest.raises(DataError, match="98 real"):
        calibrate(sample(np.random.default_rng(4), 98), measured_on="simulated")


def test_a_detector_that_points_the_wrong_way_is_refused() -> None:
    right = sample(np.random.default_rng(5), 300)
    wrong = Sample(-np.asarray(right.logits), right.labels, right.short_sides, right.qualities)

    with pytest.raises(DataError, match="higher for fakes"):
        calibrate(wrong, measured_on="simulated")


def test_with_the_fitted_margin_parts_at_most_double_the_false_alarms() -> None:
    rng = np.random.default_rng(6)
    wholes: NDArray[np.float64] = rng.normal(-3, 1, 4000)
    parts = wholes + rng.gamma(2.0, 1.0, 4000)  # the strongest part is always above the whole
    margin = fit_part_margin(wholes, parts, np.zeros(4000))

    bar = np.quantile(wholes, 0.99) + np.log(2)  # the smooth maximum adds at most log 2
    combined = [
        image_logit([w], np.full((1, 8, 8), p), part_margin=margin)
        for w, p in zip(wholes, parts, strict=True)
    ]

    assert margin > 1
    assert np.mean(np.array(combined) > bar) < 0.02


def test_the_false_alarm_rate_holds_for_each_delivery_by_itself() -> None:
    # given reals whose logits rise by 2 after one of two deliveries
    rng = np.random.default_rng(5)
    plain, resized = rng.standard_normal(4000), rng.standard_normal(4000) + 2
    fakes = rng.standard_normal(4000) + 6
    logits = np.concatenate([plain[:2000], resized[:2000], fakes])
    labels = np.repeat([0, 1], 4000)
    ways = np.repeat(["plain", "resized", "plain"], [2000, 2000, 4000])
    sizes, qualities = np.full(8000, 300), np.full(8000, 90)

    # when the thresholds are set with and without knowing of deliveries
    apart = calibrate(Sample(logits, labels, sizes, qualities, ways), measured_on="simulation")
    together = calibrate(Sample(logits, labels, sizes, qualities), measured_on="simulation")

    # then new resized reals alarm at most at the stated rate only if deliveries were kept apart
    alarms = [float((c.scores(resized[2000:]) >= c.fake_at).mean()) for c in (apart, together)]
    assert alarms[0] < 0.018  # 1 % and three standard errors of 2 000 draws, of 2 000 in calibration too
    assert alarms[1] > 0.015
    assert apart.fake_at > together.fake_at
