"""Metrics against figures worked out by hand."""

import numpy as np
import pytest

from detector.metrics import (
    area_auc,
    auc,
    aurc,
    average_precision,
    bootstrap,
    brier,
    calibration_error,
    equal_error_rate,
    error_at,
    risk_coverage,
    roc,
    tpr_at,
)

LABELS = [0, 0, 1, 1]


def test_auc_counts_pairs_in_the_right_order() -> None:
    assert auc(LABELS, [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert auc(LABELS, [1, 2, 3, 4]) == 1.0
    assert auc(LABELS, [4, 3, 2, 1]) == 0.0


def test_ties_count_half() -> None:
    assert auc(LABELS, [1, 1, 1, 1]) == 0.5
    assert auc([0, 1, 1], [2, 2, 3]) == 0.75


def test_one_class_alone_has_no_auc() -> None:
    assert np.isnan(auc([1, 1], [0, 1]))


def test_average_precision_by_hand() -> None:
    # From the top: fake (1/1), real, fake (2/3).
    assert average_precision([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_error_rate_by_hand() -> None:
    assert equal_error_rate([0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 6, 4, 5, 7, 8]) == 0.25
    assert equal_error_rate(LABELS, [1, 2, 3, 4]) == 0.0


def test_tpr_allows_no_more_false_alarms_than_asked_for() -> None:
    labels = np.repeat([0, 1], [100, 4])
    scores = np.concatenate([np.arange(100.0), [98.5, 97.5, 200.0, 50.0]])

    assert tpr_at(labels, scores, 0.01) == 0.5
    assert tpr_at(labels, scores, 0.001) == 0.25


def test_calibration_error_is_zero_for_true_odds_and_large_for_false_certainty() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=40_000)
    labels = rng.uniform(size=40_000) < scores

    assert calibration_error(labels, scores) < 0.02  # sampling noise in 15 bins
    assert calibration_error([0, 1], [0.99, 0.01]) == pytest.approx(0.99)


def test_the_bootstrap_draws_groups_whole() -> None:
    labels = np.tile([0, 1], 50)
    scores = np.where(np.arange(100) < 50, labels, 1 - labels)
    halves = np.arange(100) // 50

    low, high = bootstrap(auc, labels, scores, halves)

    assert (low, high) == (0.0, 1.0)  # one half is all right, the other all wrong
    assert bootstrap(auc, labels, scores, np.zeros(100)) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_risk_grows_as_less_sure_answers_are_taken() -> None:
    # Sure and right, sure and right, less sure and wrong, unsure and right.
    labels, scores = [1, 0, 0, 1], [0.99, 0.02, 0.7, 0.6]

    assert risk_coverage(labels, scores) == pytest.approx([0, 0, 1 / 3, 1 / 4])
    assert error_at(labels, scores, 0.5) == 0
    assert error_at(labels, scores, 0.75) == pytest.approx(1 / 3)
    assert aurc(labels, scores) == pytest.approx((1 / 3 + 1 / 4) / 4)


def test_equally_sure_answers_share_their_error_in_any_order() -> None:
    assert risk_coverage([1, 1], [0.9, 0.1]) == pytest.approx([0.5, 0.5])
    assert risk_coverage([1, 1], [0.1, 0.9]) == pytest.approx([0.5, 0.5])


def test_the_brier_score_weighs_both_classes_alike() -> None:
    assert brier([0, 1, 1, 1], [0.5, 1, 1, 1]) == pytest.approx(0.125)


def test_area_counts_as_pixels_do() -> None:
    # Two cells: half of the hot one is forged, nothing of the cold one. Pixels: 1 forged, 1 + 2 real.
    assert area_auc([5.0, 1.0], [1, 0], [1, 2]) == pytest.approx((2 + 0.5) / 3)


def test_the_roc_goes_from_corner_to_corner() -> None:
    alarms, hits = roc([0, 1], [1.0, 2.0])

    assert (alarms.tolist(), hits.tolist()) == ([0, 0, 1], [0, 1, 1])
