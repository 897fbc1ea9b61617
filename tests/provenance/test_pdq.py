"""PDQ against answers of the reference code: facebook/ThreatExchange by way of pdqhash 0.2.8."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.medium import Pixels
from provenance.pdq import BITS, RADIUS, distance, pdq, pdq_turned
from tests.conftest import MakePhoto


def blocks(height: int, width: int, seed: int) -> Pixels:
    """A picture of 13 x 13 coloured blocks, by whole numbers alone: the same on every machine."""
    state, values = seed, []
    for _ in range(13 * 13 * 3):
        state = (1103515245 * state + 12345) % 2**31
        values.append(state >> 16 & 255)
    grid = np.array(values, np.uint8).reshape(13, 13, 3)
    return grid[np.arange(height) * 13 // height][:, np.arange(width) * 13 // width]


@pytest.mark.parametrize(
    ("size", "seed", "answer"),
    [
        ((192, 256), 1, "5b8adada5adae389a7252425a475628762a9db8ae1a526fa5ae71b831df8d902"),
        ((300, 200), 2, "5b2e5b5ed94f094e26f0e5a1245118c698dfd9595af6e180d8549d9d634b8d36"),
        ((64, 64), 3, "95e96a6c0ed196d1692e95b22a972a1e0fb28cb517f9324ec94e4a6f8c8ee9a4"),
        ((37, 501), 4, "8c328ce073fd737d8cc0a53f539b734df1bba5065ec6d9c00e5826407354275d"),
        ((512, 512), 5, "f10142b7d8b4674b274a9ce80effe009e3ce27339d51d14c9c23f04a2f2d2eee"),
    ],
)
def test_a_picture_has_the_hash_that_the_reference_gives_it(
    size: tuple[int, int], seed: int, answer: str
) -> None:
    found, quality = pdq(blocks(*size, seed))
    assert found.hex() == answer
    assert quality == 100


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_picture_has_the_hash_that_was_foretold(make_photo: MakePhoto, turn: int) -> None:
    upright = make_photo(200, 310, 3)
    across = upright.transpose(1, 0, 2)
    turned = [
        upright, upright[:, ::-1], upright[::-1], upright[::-1, ::-1],
        across, np.rot90(upright, -1), np.rot90(upright), np.rot90(across, 2),
    ]  # fmt: skip
    found, _ = pdq(np.ascontiguousarray(turned[turn]))
    foretold, _ = pdq_turned(upright)
    assert distance(found, foretold[turn].tobytes()) == 0


def test_a_large_picture_is_shrunk_and_hashed_as_the_small_one(make_photo: MakePhoto) -> None:
    small = make_photo(512, 512, 5)
    large = np.repeat(np.repeat(small, 3, axis=0), 3, axis=1)
    assert pdq(large) == pdq(small)


def test_a_picture_with_nothing_in_it_has_no_quality() -> None:
    assert pdq(np.full((90, 120, 3), 128, np.uint8))[1] == 0
    assert pdq(np.zeros((4, 400, 3), np.uint8)) == (bytes(32), 0)


def test_half_of_the_bits_are_set(make_photo: MakePhoto) -> None:
    assert int.from_bytes(pdq(make_photo(240, 320, 6))[0]).bit_count() == BITS // 2


def test_distance_counts_bits() -> None:
    assert distance(bytes(32), b"\xff" * 32) == BITS
    assert distance(bytes(31) + b"\x05", bytes(32)) == 2
    assert RADIUS == 31
