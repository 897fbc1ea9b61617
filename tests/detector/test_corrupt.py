"""Degradations: the same draw does the same to both sides of a pair."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from detector.compositions import COMPOSITIONS
from detector.corrupt import NONE, CorruptionConfig, Step, apply, apply_mask, draw_chain, scale_of
from detector.operations import ENCODERS, KERNELS, OPERATIONS, SAMPLINGS, jpeg, overlay
from evidence.medium import Pixels

# Of six draws each, as the first releases of the detector were trained on them.
KNOWN = {
    "avif": "ed564055634c806a",
    "blur": "42881e96562a4a95",
    "collage": "aac53000ed99b922",
    "denoise": "3003895eecef4070",
    "grain": "90e241308dc14106",
    "grey": "0eb9419e9ab75c9e",
    "jpeg": "ed5d39c6ac1d8003",
    "local_tone": "b7a770e7975080af",
    "median": "b6d566feb229a500",
    "noise": "ca79f3c979eb995a",
    "overlay": "e1e17a15487846de",
    "resize": "b38270d5332d1653",
    "screenshot": "fec76cd5bf4cb0f2",
    "sharpen": "7e7a732906693b25",
    "tone": "0da1dfdda753cce5",
    "video": "6ebdb0c8319977a2",
    "webp": "7f8c185c71c3713a",
}


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


# `fit` leaves small pictures as they are, `frame_rate` single ones.
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"fit", "frame_rate"}))
def test_an_operation_changes_the_picture_and_its_mask_keeps_step(name: str) -> None:
    pixels = photograph()
    chain = draw_chain(np.random.default_rng(3), only(name))

    done = apply(pixels, chain)

    assert done.shape[:2] == apply_mask(pixels[:, :, 0], chain).shape
    assert done.shape != pixels.shape or not np.array_equal(done, pixels)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"turn", "border", "fit"}))
def test_the_shape_changes_only_by_the_scale(name: str) -> None:
    pixels = photograph()
    chain = draw_chain(np.random.default_rng(3), only(name))

    assert apply(pixels, chain).shape[:2] == tuple(round(side * scale_of(chain)) for side in pixels.shape[:2])


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - KNOWN.keys()))
def test_only_what_releases_were_trained_on_is_known_by_its_hash(name: str) -> None:
    assert name not in {named for named, _ in CorruptionConfig().weights}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_recorded_steps_give_the_same_pixels_and_masks_for_ever(name: str) -> None:
    digest = hashlib.sha256()
    for seed in range(6):
        chain = draw_chain(np.random.default_rng(seed), only(name))
        digest.update(np.ascontiguousarray(apply(photograph(), chain)).tobytes())
        digest.update(apply_mask(photograph()[:, :, 0], chain).tobytes())

    assert digest.hexdigest()[:16] == KNOWN[name]


def test_recorded_seeds_draw_the_same_chains_for_ever() -> None:
    rng, digest = np.random.default_rng(5), hashlib.sha256()
    for _ in range(300):
        for step in draw_chain(rng):
            digest.update(json.dumps([step.name, step.settings]).encode())

    assert digest.hexdigest()[:16] == "8246cd297210c72c"


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
