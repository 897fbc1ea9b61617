"""Who made a forgery: tiles vote as they look forged, and what fits no family is unknown."""

import numpy as np
import pytest

from detector.attribution import FEWEST, UNKNOWN, FamilyReading, calibrate_families, picture_families
from evidence.errors import DataError

FAMILIES = ("cyclegan", "stylegan2", "vae")


def test_a_family_that_stands_out_is_named_first() -> None:
    named = FamilyReading(FAMILIES, known_at=0.8).attribute([0.0, 5.0, 0.0])

    assert named[0].generator == "stylegan2"
    assert named[0].probability == pytest.approx(0.987, abs=1e-3)
    assert sum(one.probability for one in named) == pytest.approx(1.0, abs=1e-3)


def test_when_none_stands_out_the_family_is_unknown_and_the_guesses_follow() -> None:
    named = FamilyReading(FAMILIES, known_at=0.8).attribute([1.0, 0.0, 0.0])

    assert [one.generator for one in named] == [UNKNOWN, "cyclegan", "stylegan2", "vae"]
    assert named[0].probability == pytest.approx(1.0 - named[1].probability)


def test_a_reading_that_nobody_fitted_names_no_family() -> None:
    assert FamilyReading(FAMILIES).attribute([0.0, 90.0, 0.0])[0].generator == UNKNOWN


def test_tiles_that_look_genuine_have_no_vote() -> None:
    forged, genuine = [0.0, 4.0, 0.0], [9.0, 0.0, 0.0]

    found = picture_families([8.0, -12.0, -12.0], [forged, genuine, genuine])

    np.testing.assert_allclose(found, forged, atol=1e-3)


def test_the_temperature_of_overconfident_logits_is_found_again() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0.0, 2.0, (4000, 3))
    odds = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = [int(rng.choice(3, p=row)) for row in odds]

    reading = calibrate_families(3.0 * true, labels, FAMILIES)

    assert reading.temperature == pytest.approx(3.0, rel=0.1)


def test_what_is_named_is_right_as_often_as_stated_and_strangers_count_as_errors() -> None:
    logits, labels = _drawn(2000, strangers=0.2)

    reading = calibrate_families(logits[:1000], labels[:1000], FAMILIES, right=0.9)

    named = [
        (reading.attribute(row)[0].generator, FAMILIES[label] if label >= 0 else UNKNOWN)
        for row, label in zip(logits[1000:], labels[1000:], strict=True)
    ]
    told = [guess == truth for guess, truth in named if guess != UNKNOWN]
    assert np.mean(told) == pytest.approx(0.9, abs=0.03)
    assert len(told) / len(named) == pytest.approx(reading.named, abs=0.05)


def test_where_no_bound_makes_the_naming_right_hardly_a_family_is_named() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0.0, 1.0, (500, 3))

    reading = calibrate_families(logits, rng.integers(0, 3, 500).tolist(), FAMILIES)

    assert reading.named < FEWEST / 500
    assert sum(reading.attribute(row)[0].generator != UNKNOWN for row in logits) < FEWEST


def test_the_naming_must_be_right_under_each_delivery_by_itself() -> None:
    clean, labels = _drawn(1000, strangers=0.0)
    rng = np.random.default_rng(5)
    spoiled = clean[:400] + rng.normal(0.0, 1.2, (400, 3))
    logits, truth = np.concatenate([clean, spoiled]), labels + labels[:400]

    together = calibrate_families(logits, truth, FAMILIES)
    apart = calibrate_families(logits, truth, FAMILIES, deliveries=["clean"] * 1000 + ["spoiled"] * 400)

    assert apart.known_at > together.known_at
    told = apart.probabilities(spoiled)
    sure = told.max(axis=1) >= apart.known_at
    assert (told.argmax(axis=1) == labels[:400])[sure].mean() >= 0.9


def test_too_few_forgeries_for_a_bound_are_refused() -> None:
    with pytest.raises(DataError, match=f"at least {FEWEST}"):
        calibrate_families(np.zeros((60, 3)), [0] * 20 + [-1] * 40, FAMILIES)


def _drawn(count: int, strangers: float) -> tuple[np.ndarray, list[int]]:
    """Logits that lean to the true family; a share of them belongs to none and leans nowhere."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0.0, 1.0, (count, 3))
    labels = rng.integers(0, 3, count)
    logits[np.arange(count), labels] += 2.5
    foreign = rng.random(count) < strangers
    logits[foreign] = rng.normal(0.0, 1.0, (int(foreign.sum()), 3))
    return logits, np.where(foreign, -1, labels).tolist()
