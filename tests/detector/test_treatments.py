"""What makes hard reals: every kind can be drawn, is drawn the same again, and leaves the picture known."""

from __future__ import annotations

import numpy as np
import pytest

from detector.corrupt import apply, apply_mask
from detector.treatments import TREATMENTS, draw_writing, treat
from tests.detector.pictures import photograph


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_is_drawn_the_same_again_and_changes_the_picture(name: str) -> None:
    picture = photograph(2)
    chain = treat(name, np.random.default_rng(4))

    done = apply(picture, chain)

    assert chain == treat(name, np.random.default_rng(4))
    assert done.shape != picture.shape or not np.array_equal(done, picture)
    assert apply_mask(np.zeros(picture.shape[:2], np.uint8), chain).shape == done.shape[:2]


def test_monochrome_has_no_colour_but_for_an_even_tint() -> None:
    for seed in range(8):
        done = apply(photograph(3), treat("monochrome", np.random.default_rng(seed))).astype(int)
        inside = (done > 20).all(2) & (done < 235).all(2)
        for channels in ((0, 1), (1, 2)):
            assert len(np.unique((done[..., channels[0]] - done[..., channels[1]])[inside])) == 1


def test_scaled_up_is_larger_and_scaled_down_smaller() -> None:
    sides = {
        name: [apply(photograph(4), treat(name, np.random.default_rng(seed))).shape[0] for seed in range(8)]
        for name in ("upscaled", "downscaled")
    }
    assert min(sides["upscaled"]) > 144 > max(sides["downscaled"])


def test_pictures_are_written_in_many_qualities_and_every_sampling() -> None:
    drawn = [draw_writing(np.random.default_rng(seed)) for seed in range(200)]
    qualities, samplings = zip(*drawn, strict=True)
    assert min(qualities) >= 75
    assert len(set(qualities)) > 15
    assert set(samplings) == {"4:4:4", "4:2:2", "4:2:0"}
