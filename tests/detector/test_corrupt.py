"""Degradations: the same draw does the same to both sides of a pair."""

import cv2
import numpy as np
import pytest

from detector.compositions import COMPOSITIONS
from detector.corrupt import NONE, CorruptionConfig, Step, apply, apply_mask, draw_chain, scale_of
from detector.operations import ENCODERS, KERNELS, OPERATIONS, SAMPLINGS, jpeg, overlay
from evidence.medium import Pixels


def photograph(height: int = 96, width: int = 112) -> Pixels:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2.0)


def only(name: str) -> CorruptionConfig:
    return CorruptionConfig(lengths=(0.0, 1.0), recompressed=0.0, weights=((name, 1.0),))


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_same_draw_does_the_same_to_the_same_picture(name: str) -> None:
    (step,) = draw_chain(np.random.default_rng(7), only(name))
    again = draw_chain(np.random.default_rng(7), only(name))

    assert again == (step,)
    first, second = apply(photograph(), (step,)), apply(photograph(), again)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert first.shape[2] == 3


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_changes_the_picture_and_shape_only_by_its_scale(name: str) -> None:
    pixels = photograph()
    chain = draw_chain(np.random.default_rng(3), only(name))

    done = apply(pixels, chain)

    assert done.shape[:2] == tuple(round(side * scale_of(chain)) for side in pixels.shape[:2])
    assert done.shape != pixels.shape or not np.array_equal(done, pixels)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_jpeg_of_every_encoder_and_sampling_stays_near_the_picture(encoder: str, sampling: str) -> None:
    pixels = photograph()

    near = jpeg(pixels, quality=95, encoder=encoder, sampling=sampling, shift=3)
    far = jpeg(pixels, quality=30, encoder=encoder, sampling=sampling, shift=3)

    error = [np.abs(done.astype(int) - pixels).mean() for done in (near, far)]
    assert error[0] < 4 < 1.5 * error[1]  # grey levels; blocks in the wrong channel order are 40 off


def test_the_block_grid_moves_with_the_shift() -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    flat[:, 27:] = 160  # inside one block of the unmoved grid, on a border of the grid moved by 3

    unmoved, moved = jpeg(flat, quality=20), jpeg(flat, quality=20, shift=3, sampling="4:4:4")

    assert np.abs(moved.astype(int) - flat).max() < np.abs(unmoved.astype(int) - flat).max() / 2


def test_scale_counts_resizes_that_do_not_come_back() -> None:
    chain = (
        Step("resize", {"factor": 0.5, "kernel": "area"}),
        Step("resize", {"factor": 1.7, "kernel": KERNELS[0], "back": True}),
        Step("median", {"size": 3}),
    )

    assert scale_of(chain) == 0.5
    assert apply(photograph(), chain).shape == (48, 56, 3)
    assert apply_mask(np.full((96, 112), 255, np.uint8), chain).shape == (48, 56)


def test_what_an_overlay_covers_is_the_same_for_real_and_fake_and_no_longer_forged() -> None:
    real = photograph()
    fake = 255 - real

    a, b = overlay(real, seed=5), overlay(fake, seed=5)
    mask = apply_mask(np.full(real.shape[:2], 255, np.uint8), (Step("overlay", {"seed": 5}),))
    covered = COMPOSITIONS["overlay"](*real.shape[:2], 5).over

    assert covered.any()
    assert np.array_equal(a[covered], b[covered])
    assert (mask[covered] == 0).all()
    assert (mask[~covered] == 255).all()


def test_a_clean_configuration_draws_empty_chains() -> None:
    assert draw_chain(np.random.default_rng(0), NONE) == ()
