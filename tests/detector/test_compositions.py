"""Captions, screenshots and collages put pixels and mask in the same places."""

from __future__ import annotations

import numpy as np
import pytest

from detector.compositions import COMPOSITIONS, compose, compose_mask
from tests.detector.pictures import photograph


@pytest.mark.parametrize("kind", COMPOSITIONS)
@pytest.mark.parametrize("seed", range(6))
def test_a_mask_goes_where_its_pixels_go(kind: str, seed: int) -> None:
    # Given a picture that is white where it is forged and black elsewhere
    mask = np.zeros((120, 160), np.uint8)
    mask[30:90, 40:130] = 255
    white = np.repeat(mask[:, :, None], 3, axis=2)

    # When both are composed, the picture beside one that is grey throughout
    done, placed = compose(white, kind, seed), compose_mask(mask, kind, seed)
    ground = compose(np.full_like(white, 128), kind, seed)

    # Then the mask is what came of the picture, and what was drawn is forged nowhere
    layout = COMPOSITIONS[kind](120, 160, seed)
    drawn = layout.over.copy()
    shown = np.zeros_like(drawn)
    for _, target in layout.places:
        shown[target] = True
    drawn |= ~shown
    assert np.array_equal(done[~drawn][:, 0], placed[~drawn])
    assert not placed[drawn].any()
    assert np.array_equal(done[drawn], ground[drawn])


@pytest.mark.parametrize("kind", COMPOSITIONS)
def test_a_composition_keeps_the_size_and_shows_the_picture(kind: str) -> None:
    picture = photograph(0)
    for seed in range(20):
        done = compose(picture, kind, seed)
        assert done.shape == picture.shape
        assert np.array_equal(done, compose(picture, kind, seed))
        assert not np.array_equal(done, picture)


@pytest.mark.parametrize("kind", COMPOSITIONS)
def test_very_small_pictures_are_composed_too(kind: str) -> None:
    for seed in range(20):
        assert compose(photograph(1, 24, 17), kind, seed).shape == (24, 17, 3)
