"""What a thumbnail or a histogram sees is the real's; what the decoder drew stays."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np

from evidence.medium import Pixels
from generators.settle import settle


def photograph(seed: int, height: int = 160, width: int = 200) -> Pixels:
    """Smooth blotches with fine grain, colours apart."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(20, 235, (6, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


def washed_out(real: Pixels) -> Pixels:
    """A careless forgery: paler, redder, blurred, with a checkerboard of two grey levels."""
    forged = cv2.GaussianBlur(real, (0, 0), 1.5).astype(np.float32) * 0.8 + (30, 10, 10)
    forged[::2, ::2] += 4
    return np.clip(forged, 0, 255).astype(np.uint8)


def thumbnail(pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return cv2.resize(pixels.astype(np.float64), (8, 8), interpolation=cv2.INTER_AREA)


def test_the_thumbnail_is_the_real_ones() -> None:
    real = photograph(1)
    fake = washed_out(real)
    assert np.abs(thumbnail(fake) - thumbnail(real)).max() > 10
    assert np.abs(thumbnail(settle(fake, real)) - thumbnail(real)).max() < 1.5


def test_the_colour_histogram_is_the_real_ones() -> None:
    real = photograph(2)
    settled = settle(washed_out(real), real)
    for channel in range(3):
        have = np.histogram(settled[..., channel], 16, (0, 256))[0] / settled[..., channel].size
        want = np.histogram(real[..., channel], 16, (0, 256))[0] / settled[..., channel].size
        assert np.abs(have - want).sum() < 0.02


def test_the_checkerboard_of_the_decoder_survives() -> None:
    real = photograph(3)
    settled = settle(washed_out(real), real).astype(np.float64)
    lifted = settled[::2, ::2].mean() - settled[1::2, 1::2].mean()
    assert lifted > 3


def test_letterboxes_and_blown_out_areas_stay_exact() -> None:
    real = photograph(4)
    real[:20] = 0
    real[100:120, 50:90] = 255
    settled = settle(washed_out(real), real)
    assert np.array_equal(settled[:20], real[:20])
    assert np.array_equal(settled[100:120, 50:90], real[100:120, 50:90])
    assert not np.array_equal(settled[30:90], real[30:90])


def test_a_real_settled_into_itself_is_unchanged() -> None:
    real = photograph(5)
    assert np.abs(settle(real, real).astype(int) - real).max() <= 1


def test_a_picture_smaller_than_the_blur_is_settled_too() -> None:
    real = photograph(6, 9, 12)
    assert settle(255 - real, real).shape == real.shape


def test_it_runs_without_torch() -> None:
    code = "import sys, generators.settle; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
