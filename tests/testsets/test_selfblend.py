"""A self-blended face differs from its picture inside its mask and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.detector.pictures import photograph
from testsets.selfblend import face_mask, self_blend

# Eyes, nose and corners of the mouth of an upright face in a picture of 250 px, as LFW shows them.
POINTS = ((100.0, 115.0), (145.0, 115.0), (123.0, 138.0), (103.0, 160.0), (143.0, 160.0))


@pytest.mark.parametrize("seed", range(8))
def test_the_hull_holds_the_face_and_not_the_picture(seed: int) -> None:
    mask = face_mask(POINTS, 250, 250, np.random.default_rng(seed))
    for x, y in POINTS:
        assert mask[round(y), round(x)] > 0.5
    # A face as wide as 2 and as high as 2.8 eye distances of 45 px covers about a sixth.
    assert 0.05 < mask.mean() < 0.3
    assert not mask[:20].any()
    assert not mask[:, :20].any()


@pytest.mark.parametrize("seed", range(8))
def test_only_the_masked_face_and_its_soft_edge_differ(seed: int) -> None:
    picture = photograph(5, 250, 250)
    fake, made = self_blend(picture, POINTS, np.random.default_rng(seed))
    changed = (fake != picture).any(axis=2)
    # Weights below an eighth are the edge; the widest of the two blurs reaches 25 px.
    near = cv2.dilate(made.astype(np.uint8), np.ones((61, 61), np.uint8)) > 0
    assert made.any()
    assert changed[made].mean() > 0.5
    assert not changed[~near].any()


def test_the_same_draw_blends_the_same() -> None:
    picture = photograph(6, 250, 250)
    first, again, other = (self_blend(picture, POINTS, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
