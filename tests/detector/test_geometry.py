"""Crops, turns and frames: pixels and mask go the same way, by known answers."""

import numpy as np
import pytest

from detector.corrupt import Step, apply, apply_mask
from detector.geometry import border, crop, fit, flip, rotate, turn
from tests.detector.pictures import photograph


def numbered(height: int, width: int) -> np.ndarray:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


def test_a_crop_of_a_quarter_takes_half_of_each_side_from_where_it_is_told() -> None:
    picture = numbered(8, 12)

    assert np.array_equal(crop(picture, share=0.25), picture[2:6, 3:9])
    assert np.array_equal(crop(picture, share=0.25, x=0.0, y=1.0), picture[4:8, 0:6])
    assert np.array_equal(crop(picture, share=1.0), picture)


def test_to_fit_shrinks_to_the_longer_side_and_never_enlarges() -> None:
    assert fit(photograph(0, 100, 200), side=50).shape == (25, 50, 3)
    assert fit(photograph(0, 100, 200), side=200).shape == (100, 200, 3)


def test_flips_and_turns_undo_themselves() -> None:
    picture = photograph(0, 30, 50)

    for axis in ("horizontal", "vertical"):
        assert np.array_equal(flip(flip(picture, axis=axis), axis=axis), picture)
    assert np.array_equal(flip(picture)[:, 0], picture[:, -1])
    assert turn(picture).shape == (50, 30, 3)
    assert np.array_equal(turn(turn(picture), quarters=3), picture)


def test_a_turn_by_degrees_fills_the_frame_and_shows_the_middle() -> None:
    # Given a bright picture with a dark rim that an unfilled corner would show
    picture = np.full((60, 90, 3), 200, np.uint8)
    picture[:3], picture[-3:], picture[:, :3], picture[:, -3:] = 0, 0, 0, 0

    turned = rotate(picture, degrees=8)

    # Then no corner is empty, the middle stays, and turning the other way mirrors it
    assert turned.shape == picture.shape
    assert turned[30, 45].tolist() == [200, 200, 200]
    other = rotate(picture, degrees=-8)
    assert np.abs(turned.astype(int) - other[:, ::-1]).max() <= 2  # of bilinear rounding


@pytest.mark.parametrize(
    ("sides", "shape"), [("all", (60, 80)), ("top-bottom", (60, 60)), ("left-right", (40, 80))]
)
def test_a_border_is_as_thick_as_said_and_forged_nowhere(sides: str, shape: tuple[int, int]) -> None:
    framed = border(np.full((40, 60, 3), 90, np.uint8), share=0.25, sides=sides, level=255)
    mask = border(np.full((40, 60), 255, np.uint8), share=0.25, sides=sides, level=255)

    assert framed.shape == (*shape, 3)
    assert np.array_equal(framed[:, :, 0] == 90, mask == 255)
    assert set(np.unique(framed).tolist()) == {90, 255}
    assert set(np.unique(mask).tolist()) == {0, 255}


def test_a_mask_follows_its_picture_through_a_chain_of_all() -> None:
    # Given a picture that is white where it is forged and black elsewhere
    mask = np.zeros((96, 128), np.uint8)
    mask[20:70, 30:90] = 255
    chain = [
        Step("rotate", {"degrees": -6.0}),
        Step("crop", {"share": 0.7, "x": 0.3, "y": 0.8}),
        Step("flip"),
        Step("border", {"share": 0.1}),
        Step("turn"),
        Step("fit", {"side": 80}),
    ]

    done = apply(np.repeat(mask[:, :, None], 3, axis=2), chain)

    assert np.array_equal(done[:, :, 1], apply_mask(mask, chain))
    assert max(done.shape) == 80
