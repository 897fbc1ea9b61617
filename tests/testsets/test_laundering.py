"""Laundering takes away what it says it does, and leaves size and seed-given bytes as promised."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.media import photo_like
from evidence.medium import Pixels
from testsets.attacks import KINDS, attack, perform

LAUNDERING = [name for name, kind in KINDS.items() if kind.needs == "pixels"]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return photo_like(96, 128, 5)


def _with_grid(pixels: Pixels, amplitude: float) -> Pixels:
    """A pattern of period 4 over the picture, as a transposed convolution leaves it."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    wave = amplitude * np.cos(np.pi * x / 2) * np.cos(np.pi * y / 2)
    return np.clip(np.rint(pixels + wave[..., None]), 0, 255).astype(np.uint8)


def _peak(pixels: Pixels) -> float:
    """The spectrum at that period over its surroundings."""
    size = np.abs(np.fft.fft2(pixels[..., 1].astype(float)))
    row, column = size.shape[0] // 4, size.shape[1] // 4
    around = size[row - 6 : row + 7, column - 6 : column + 7]
    return float(size[row, column] / np.median(around))


def test_a_notch_removes_a_planted_peak_and_little_else(photo: Pixels) -> None:
    marked = _with_grid(photo, 8)

    made = perform(attack("notch"), marked, None, 0).pixels

    assert _peak(marked) > 20
    assert _peak(made) < 4
    # What is left is nearer to the picture without the pattern than the pattern was.
    assert np.abs(made.astype(int) - photo).mean() < 0.5 * np.abs(marked.astype(int) - photo).mean()


def test_a_notch_leaves_a_picture_without_peaks_nearly_alone(photo: Pixels) -> None:
    made = perform(attack("notch", {"height": 12}), photo, None, 0)

    assert made.psnr > 45


def test_renoising_gives_back_as_much_noise_as_it_took() -> None:
    flat = np.full((128, 128, 3), 120, np.uint8)
    noisy = np.rint(flat + np.random.default_rng(0).normal(0, 4, flat.shape)).astype(np.uint8)

    made = perform(attack("renoise", {"strength": 60}), noisy, None, 0).pixels

    assert float(made.std()) == pytest.approx(float(noisy.std()), rel=0.35)
    assert not np.array_equal(made, noisy)


def test_an_autoencoder_of_ours_rebuilds_a_picture_at_its_size_and_again_the_same(photo: Pixels) -> None:
    first, again = (perform(attack("rebuild"), photo, None, 0) for _ in range(2))

    assert first.pixels.shape == photo.shape
    assert np.array_equal(first.pixels, again.pixels)
    assert 20 < first.psnr < 60


@pytest.mark.parametrize("name", LAUNDERING)
@pytest.mark.parametrize("shape", [(64, 64), (33, 57)])
def test_no_laundering_changes_the_size_or_asks_anybody(name: str, shape: tuple[int, int]) -> None:
    pixels = photo_like(*shape, 2)

    made = perform(attack(name), pixels, None, 1)

    assert made.pixels.shape == pixels.shape
    assert made.pixels.dtype == np.uint8
    assert (made.queries, made.flipped, made.before) == (0, None, None)


def test_a_chain_of_codecs_is_drawn_from_the_seed(photo: Pixels) -> None:
    one, other = (perform(attack("recode"), photo, None, seed).pixels for seed in (0, 1))

    assert not np.array_equal(one, other)
