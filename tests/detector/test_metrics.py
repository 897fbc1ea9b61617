"""Metrics against figures worked out by hand."""

import numpy as np
import pytest

from detector.metrics import auc, average_precision, bootstrap, calibration_error, equal_error_rate, tpr_at

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
