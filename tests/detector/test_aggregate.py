"""Tiles to a picture, maps to a grid, frames to a video and its segments."""

import numpy as np
import pytest

from detector.aggregate import image_logit, segments, spread, stitch, video_logit
from detector.thresholds import Calibration
from detector.tiles import plan


def test_a_picture_fake_in_a_part_scores_above_the_same_picture_without_it() -> None:
    real = np.full((4, 32, 32), -3.0)
    forged = real.copy()
    forged[2, 10:20, 10:20] = 6.0  # 2.4 % of the picture

    assert image_logit([-3.0] * 4, real) == pytest.approx(-3.0 + np.log1p(np.exp(-2.0)))
    assert image_logit([-3.0] * 4, forged) > 1.0


def test_one_hot_cell_does_not_make_a_picture_fake() -> None:
    maps = np.full((4, 32, 32), -3.0)
    maps[0, 5, 5] = 10.0

    assert image_logit([-3.0] * 4, maps) < -2.5


def test_the_picture_logit_never_falls_when_a_logit_rises() -> None:
    rng = np.random.default_rng(0)
    logits, maps = rng.normal(size=3), rng.normal(size=(3, 8, 8))
    before = image_logit(logits, maps)

    for index in range(50):
        raised = maps.copy()
        raised.reshape(-1)[index] += 2.0
        assert image_logit(logits, raised) >= before
    assert image_logit(logits + np.array([0.1, 0.0, 0.0]), maps) > before


def test_stitching_constant_maps_gives_that_constant_everywhere() -> None:
    tiles = plan(375, 500)
    maps = np.full((len(tiles), 32, 32), 1.25)

    grid = stitch(maps, tiles, 375, 500)

    assert grid.shape == (46, 62)
    assert (grid == 1.25).all()


def test_stitching_puts_each_cell_in_its_place() -> None:
    truth = np.random.default_rng(2).normal(size=(46, 62))
    tiles = plan(375, 500)
    maps = np.stack([truth[t.y // 8 : t.y // 8 + 32, t.x // 8 : t.x // 8 + 32] for t in tiles])

    # Averaging equal numbers may round once: 1e-12 is far above that.
    assert stitch(maps, tiles, 375, 500) == pytest.approx(truth, abs=1e-12)


def test_a_cell_that_no_tile_saw_is_nan() -> None:
    tiles = plan(512, 512, max_tiles=1)

    grid = stitch(np.zeros((1, 32, 32)), tiles, 512, 512)

    assert np.isnan(grid).sum() == 64 * 64 - 32 * 32


def test_spread_is_zero_for_an_even_map_and_grows_with_disagreement() -> None:
    even = np.full((2, 8, 8), 0.5)
    odd = even.copy()
    odd[0, :4, :4] = 4.0

    assert spread(even) == 0.0
    assert spread(odd) == pytest.approx(3.5 / np.sqrt(8) / np.sqrt(8))


def test_one_odd_frame_does_not_make_a_video_fake() -> None:
    times = np.arange(40) * 0.5
    logits = np.full(40, -4.0)
    logits[13] = 9.0

    assert video_logit(logits, times) < -3.0


def test_a_forged_tenth_makes_a_video_suspicious() -> None:
    times = np.arange(40) * 0.5
    logits = np.full(40, -4.0)
    logits[13:18] = 5.0

    assert video_logit(logits, times) > 2.0


def test_the_order_of_frames_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    times, logits = rng.uniform(0, 20, 30), rng.normal(size=30)
    shuffled = rng.permutation(30)

    assert video_logit(logits[shuffled], times[shuffled]) == video_logit(logits, times)


def test_a_segment_is_found_where_it_was_put() -> None:
    rng = np.random.default_rng(4)
    times = np.arange(60) * 0.5
    logits = rng.normal(-3.0, 0.7, 60)
    logits[20:30] += 7.0

    found = segments(times, logits, Calibration())

    assert [(s.start, s.end) for s in found] == [(10.0, 15.0)]
    assert found[0].fake_probability > 0.9


def test_a_real_video_and_a_single_frame_have_no_segments() -> None:
    logits = np.random.default_rng(5).normal(-3.0, 0.7, 60)

    assert segments(np.arange(60) * 0.5, logits, Calibration()) == []
    assert segments([0.0], [9.0], Calibration()) == []


def test_a_wholly_fake_video_is_one_segment() -> None:
    logits = np.random.default_rng(6).normal(4.0, 0.5, 30)

    found = segments(np.arange(30) * 0.5, logits, Calibration())

    assert [(s.start, s.end) for s in found] == [(0.0, 15.0)]
