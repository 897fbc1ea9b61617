"""Sliced Wasserstein distance and spectra against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from generators.metrics.sliced_wasserstein import patches, sliced_wasserstein
from generators.metrics.spectrum import profiles, spectrum_distance

RNG = np.random.default_rng(0)


def _noise(count: int, side: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (count, 3, side, side)).astype(np.float32)


def test_a_set_is_at_no_distance_from_itself_and_near_another_of_its_law() -> None:
    one, other = patches(_noise(32)), patches(_noise(32, seed=1), seed=1)
    assert set(one) == {64, 32, 16}
    assert all(value == 0 for value in sliced_wasserstein(one, one).values())
    # At 16 px the 32 pictures hold some 160 patches apart: sorted draws differ by about 1/sqrt(160) = 0.08.
    assert all(value < 120 for value in sliced_wasserstein(one, other).values())


def test_a_fine_pattern_shows_at_the_finest_level_alone() -> None:
    plain = _noise(32)
    chequered = plain.copy()
    chequered[:, :, ::2, ::2] += 1.0
    chequered[:, :, 1::2, 1::2] += 1.0
    chequered -= 0.5
    found = sliced_wasserstein(patches(plain), patches(chequered))
    assert found[64] > 5 * max(found[32], found[16])


def test_patches_depend_on_seed_and_number_of_the_picture_alone() -> None:
    images = _noise(6)
    whole = patches(images)[64].reshape(6, 128, -1)
    tail = patches(images[4:], first=4)[64].reshape(2, 128, -1)
    assert np.array_equal(whole[4:], tail)


def test_twice_the_amplitude_is_six_decibels_at_every_frequency() -> None:
    images = _noise(8)
    # 20 log10(2) = 6.0206 dB; the 1e-12 floor is 90 dB below.
    assert spectrum_distance(profiles(images), profiles(2 * images)) == pytest.approx(6.0206, abs=1e-3)


def test_a_wave_stands_in_the_ring_of_its_frequency() -> None:
    across = np.cos(2 * np.pi * 8 * np.arange(64) / 64)
    image = np.broadcast_to(across, (1, 3, 64, 64)).astype(np.float32)
    profile = profiles(image)[0]
    assert profile.shape == (32,)
    assert int(profile.argmax()) + 1 == 8  # rings begin at frequency 1
