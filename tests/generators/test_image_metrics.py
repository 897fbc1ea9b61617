"""Each metric against a closed form, a brute-force definition or its known extremes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from evidence.errors import DataError
from generators.data.memory import ImageSet
from generators.metrics.classifier import accuracy, classifier_of, train_classifier
from generators.metrics.compare import compare
from generators.metrics.features import RandomConvolutions, digest, features_of, quantised
from generators.metrics.fid import fid, frechet_distance
from generators.metrics.inception_score import inception_score
from generators.metrics.kid import kid, squared_discrepancy
from generators.metrics.precision_recall import precision_recall
from tests.toy_gan import pictures

RNG = np.random.default_rng(0)


def test_the_frechet_distance_of_independent_gaussians_is_that_of_each_axis() -> None:
    # Commuting covariances: |m|^2 + sum (sqrt a - sqrt b)^2 = 9 + (1 - 2)^2 + (3 - 3)^2.
    found = frechet_distance(np.zeros(2), np.diag([1.0, 9.0]), np.array([3.0, 0.0]), np.diag([4.0, 9.0]))
    assert found == pytest.approx(10.0)


def test_the_frechet_distance_does_not_change_when_both_sets_are_turned() -> None:
    turn, _ = np.linalg.qr(RNG.normal(size=(5, 5)))
    a, b = np.diag([1.0, 2, 3, 4, 5]), np.diag([5.0, 4, 3, 2, 1])
    shift = RNG.normal(size=5)
    plain = frechet_distance(np.zeros(5), a, shift, b)
    turned = frechet_distance(np.zeros(5), turn @ a @ turn.T, turn @ shift, turn @ b @ turn.T)
    assert turned == pytest.approx(plain, rel=1e-9)


def test_fid_of_samples_approaches_the_distance_of_their_laws() -> None:
    real, fake = RNG.normal(0, 1, (20_000, 3)), RNG.normal(0.5, 2, (20_000, 3))
    # 3 x (0.5^2 + (1 - 2)^2) = 3.75; deviations of mean and variance are about 1 % at 20 000.
    assert fid(real, fake) == pytest.approx(3.75, rel=0.03)
    assert fid(real, real) == pytest.approx(0.0, abs=1e-6)


def test_fid_refuses_fewer_images_than_features() -> None:
    with pytest.raises(DataError, match="use KID"):
        fid(RNG.normal(size=(8, 8)), RNG.normal(size=(100, 8)))


def test_kid_approaches_its_closed_form_and_is_zero_for_one_law() -> None:
    # D = 1, x ~ N(0, 1), y ~ N(1, 1). With k = (xy + 1)^3 and raw moments m1, m2, m3 of each law,
    # E k = m3 m3' + 3 m2 m2' + 3 m1 m1' + 1: within x 0+3+0+1, within y 16+12+3+1, between 0+6+0+1.
    expected = 4 + 32 - 2 * 7
    x, y = RNG.normal(0, 1, (2_000, 1)), RNG.normal(1, 1, (2_000, 1))
    # A third moment of 2 000 draws deviates by some 5 %, and the expected value squares it.
    assert squared_discrepancy(x, y) == pytest.approx(expected, rel=0.2)
    same = kid(x, RNG.normal(0, 1, (2_000, 1)), subsets=10, size=500)
    assert abs(same.mean) < 3 * same.deviation


def test_kid_is_the_double_sum_of_its_definition() -> None:
    a, b = RNG.normal(size=(5, 3)), RNG.normal(size=(6, 3))

    def k(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        return float((p @ q / 3 + 1) ** 3)

    expected = (
        sum(k(p, q) for i, p in enumerate(a) for j, q in enumerate(a) if i != j) / (5 * 4)
        + sum(k(p, q) for i, p in enumerate(b) for j, q in enumerate(b) if i != j) / (6 * 5)
        - 2 * sum(k(p, q) for p in a for q in b) / (5 * 6)
    )
    assert squared_discrepancy(a, b) == pytest.approx(expected)


def test_the_inception_score_runs_from_one_to_the_number_of_classes() -> None:
    assert inception_score(np.tile(np.eye(10), (5, 1)))[0] == pytest.approx(10.0)
    assert inception_score(np.full((50, 10), 0.1))[0] == pytest.approx(1.0)
    assert inception_score(np.tile(np.eye(10)[3], (50, 1)))[0] == pytest.approx(1.0)
    # Half the images sure of class 0, half of class 1: two classes, entropy log 2.
    assert inception_score(np.repeat(np.eye(10)[:2], 25, axis=0), splits=1)[0] == pytest.approx(2.0)


def test_equal_sets_are_precise_and_recalled_and_far_ones_are_not() -> None:
    real = RNG.normal(size=(200, 4))
    same, far = precision_recall(real, real), precision_recall(real, real + 100)
    assert (same.precision, same.recall, same.coverage) == (1.0, 1.0, 1.0)
    assert (far.precision, far.recall, far.density, far.coverage) == (0.0, 0.0, 0.0, 0.0)


def test_fakes_on_half_of_the_reals_are_precise_but_recall_half() -> None:
    near, away = RNG.normal(size=(200, 2)), RNG.normal(size=(200, 2)) + 100
    found = precision_recall(np.concatenate([near, away]), near + 1e-3)
    assert found.precision == 1.0
    assert found.recall == pytest.approx(0.5, abs=0.02)
    assert found.coverage == pytest.approx(0.5, abs=0.02)


def test_precision_and_recall_are_those_of_a_brute_force_count() -> None:
    real, fake, k = RNG.normal(size=(40, 2)), RNG.normal(0.5, 1, (30, 2)), 3

    def reach(points: NDArray[np.float64]) -> list[float]:
        return [sorted(np.linalg.norm(points - p, axis=1))[k] for p in points]

    hits = [[np.linalg.norm(f - r) <= d for f in fake] for r, d in zip(real, reach(real), strict=True)]
    back = [[np.linalg.norm(f - r) <= d for r in real] for f, d in zip(fake, reach(fake), strict=True)]
    found = precision_recall(real, fake, k=k)
    assert found.precision == pytest.approx(np.any(hits, axis=0).mean())
    assert found.recall == pytest.approx(np.any(back, axis=0).mean())
    assert found.density == pytest.approx(np.sum(hits) / (k * len(fake)))
    assert found.coverage == pytest.approx(np.any(hits, axis=1).mean())


def test_random_features_are_named_by_their_seed_and_see_eight_bits() -> None:
    first, again, other = (RandomConvolutions(1, size=16, seed=seed) for seed in (0, 0, 1))
    assert digest(first) == digest(again) != digest(other)
    images = pictures((1, 16, 16)).draw(6, torch.Generator().manual_seed(0)).images
    assert torch.allclose(quantised(images), images, atol=1e-6)  # reals are on the levels already
    finer = images + 0.3 / 255
    assert np.allclose(features_of(first, finer), features_of(first, images), atol=1e-6)


def test_a_comparison_names_its_extractor_and_tells_noise_from_reals() -> None:
    extractor = RandomConvolutions(1, size=8, widths=(2, 2))
    rng = torch.Generator().manual_seed(0)
    smooth = torch.rand(80, 1, 1, 1, generator=rng).expand(80, 1, 8, 8) * 2 - 1
    noise = torch.rand(80, 1, 8, 8, generator=rng) * 2 - 1
    same, different = compare(extractor, smooth[:40], smooth[40:]), compare(extractor, smooth[:40], noise)
    name = f"FID@{digest(extractor)}"
    assert same.scores[name] < different.scores[name]
    assert same.extractor == f"random-convolutions@{digest(extractor)}"
    assert (same.reals, same.fakes) == (40, 40)


def _bars() -> ImageSet:
    # Ten classes told apart by the column of a bright bar.
    pixels = np.zeros((100, 28, 28, 1), np.uint8)
    labels = np.arange(100) % 10
    for picture, label in zip(pixels, labels, strict=True):
        picture[:, 2 * label + 3 : 2 * label + 5] = 255
    names = {"classes": tuple(str(label) for label in range(10))}
    return ImageSet(pixels, labels=labels, names=names)


def test_the_classifier_learns_is_the_same_for_the_same_seed_and_is_kept(tmp_path, monkeypatch) -> None:
    bars = _bars()
    classifier = train_classifier(bars, steps=40, batch=32)
    drawn = bars.draw(60, torch.Generator().manual_seed(1))
    assert drawn.labels is not None
    assert accuracy(classifier, drawn.images, drawn.labels) > 0.95
    assert classifier.features(drawn.images).shape == (60, 64)
    assert classifier.probabilities(drawn.images).sum(axis=1) == pytest.approx(np.ones(60))
    assert digest(classifier) == digest(train_classifier(bars, steps=40, batch=32))
    monkeypatch.setattr("generators.metrics.classifier.train_classifier", lambda _: classifier)
    assert digest(classifier_of(bars, tmp_path)) == digest(classifier)
    monkeypatch.setattr("generators.metrics.classifier.train_classifier", None)  # kept, not trained again
    assert digest(classifier_of(bars, tmp_path)) == digest(classifier)
