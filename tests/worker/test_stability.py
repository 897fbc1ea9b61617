"""Trials: what survives re-encoding by its nature does, and what lives in the finest detail does not."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest

from detector.scores import Scores
from detector.tiles import cut, plan
from evidence.medium import Pixels
from tests.tiny_detector import CALIBRATION, checkerboard, picture
from worker.findings import Trial
from worker.stability import CHANGES, MOST_TILES, retell, worth_retelling


def colour(tiles: Pixels) -> Scores:
    lean = (tiles[..., 0].astype(float) - tiles[..., 2]) / 16
    return _scores(lean)


def pattern(tiles: Pixels) -> Scores:
    y, x = np.mgrid[: tiles.shape[1], : tiles.shape[2]]
    return _scores(tiles.mean(3) * (-1.0) ** (x + y) * 5 - 10)


def _scores(cells: np.ndarray) -> Scores:
    n, h, w = cells.shape
    maps = cells.reshape(n, h // 8, 8, w // 8, 8).mean((2, 4)).astype(np.float32)
    return Scores(maps.mean((1, 2)), maps)


def told(pixels: Pixels, score: object, logit: float) -> tuple[dict[str, float], int]:
    """The trials of a picture, driven by `score`, and how many tiles were scored."""
    tiles = plan(*pixels.shape[:2])
    asked = 0
    trials: Generator[Pixels, Scores, tuple[Trial, ...]] = retell(
        pixels, tiles, score(cut(pixels, tiles)), logit=logit, part_margin=2.0
    )
    request = next(trials)
    while True:
        asked += len(request)
        try:
            request = trials.send(score(request))
        except StopIteration as done:
            return {trial.name: trial.logit for trial in done.value}, asked


def test_a_colour_survives_every_change() -> None:
    trials, _ = told(picture(128, 128, lean=5), colour, 5.0)

    assert list(trials) == list(CHANGES)
    # Chroma subsampling and integer conversion move the mean colour by under one level in 256.
    assert list(trials.values()) == pytest.approx([5.0] * len(CHANGES), abs=0.2)


def test_a_one_pixel_pattern_is_flipped_by_compression_and_resize_and_survives_the_crop() -> None:
    pixels = checkerboard(128, 128, 3)

    trials, _ = told(pixels, pattern, 5.0)

    assert trials["crop of 4 pixels"] == pytest.approx(5.0)
    # At quality 75 the finest coefficient is quantised by about 50 and vanishes; at 90 it stays.
    assert trials["JPEG quality 90"] > 0 > trials["JPEG quality 75"]
    assert trials["resize to 90 %"] < 0


def test_the_cost_is_bounded_whatever_the_size() -> None:
    _, asked = told(picture(1024, 1024, lean=5), colour, 5.0)

    assert asked <= MOST_TILES * len(CHANGES)


def test_only_what_is_clearly_real_is_not_tried_again() -> None:
    assert not worth_retelling(CALIBRATION, -6.0, 0.1)
    assert worth_retelling(CALIBRATION, -2.3, 0.5)  # real by a hair: the interval reaches beyond
    assert worth_retelling(CALIBRATION, 0.0, 0.1)
    assert worth_retelling(CALIBRATION, 6.0, 0.1)
