"""The index against looking at every hash."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.multi_index import Growing, MultiIndex
from provenance.pdq import RADIUS, Hashes


def made(count: int, seed: int) -> Hashes:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def flipped(one: np.ndarray, bits: int, seed: int) -> np.ndarray:
    """The hash with so many of its bits turned over."""
    places = np.random.default_rng(seed).choice(256, bits, replace=False)
    all_bits = np.unpackbits(one)
    all_bits[places] ^= 1
    return np.packbits(all_bits)


def by_looking(hashes: Hashes, one: np.ndarray) -> dict[int, int]:
    differing = np.bitwise_count(hashes ^ one).sum(1)
    return {int(row): int(differing[row]) for row in np.flatnonzero(differing <= RADIUS)}


@pytest.mark.parametrize("tail", [1, 10_000])
def test_everything_within_the_radius_is_found_and_nothing_else(
    tail: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MultiIndex, "tail", tail)
    centres = made(50, 1)
    hashes = np.concatenate(
        [
            made(3_000, 2),
            *(flipped(centre, bits, bits)[None] for centre in centres for bits in range(0, 40, 3)),
        ]
    )
    index = MultiIndex()
    for part in np.array_split(hashes, 7):
        index.add(part)
    assert len(index) == len(hashes)
    which, rows, bits = index.near(centres)
    for number, centre in enumerate(centres):
        mine = which == number
        assert dict(zip(rows[mine].tolist(), bits[mine].tolist(), strict=True)) == by_looking(hashes, centre)
        assert mine.sum() == 11  # 0, 3, ... 30


def test_the_last_bit_of_the_radius_counts_when_the_bits_lie_two_in_each_word_but_one() -> None:
    """The worst case of the pigeonhole: 15 words differ by two bits, one by a single one."""
    one = np.zeros(32, np.uint8)
    far = np.tile(np.array([0b11, 0], np.uint8), 16)
    far[0] = 1
    index = MultiIndex()
    index.add(far[None])
    index.tail = 0
    index.add(made(10, 3))
    which, rows, bits = index.near(one[None])
    assert (which.tolist(), rows.tolist(), bits.tolist()) == ([0], [0], [31])


def test_thousands_of_the_same_hash_are_all_found() -> None:
    index = MultiIndex()
    index.tail = 0
    index.add(np.repeat(made(1, 4), 5_000, axis=0))
    which, rows, bits = index.near(np.concatenate([made(1, 5), made(1, 4)]))
    assert rows.tolist() == list(range(5_000))
    assert (which == 1).all()
    assert not bits.any()


def test_an_empty_index_finds_nothing() -> None:
    assert [len(part) for part in MultiIndex().near(np.zeros((2, 32), np.uint8))] == [0, 0, 0]


def test_nothing_asked_is_nothing_found() -> None:
    index = MultiIndex()
    index.add(made(10, 1))
    assert [len(part) for part in index.near(made(0, 1))] == [0, 0, 0]


def test_a_growing_array_keeps_what_it_was_given() -> None:
    growing = Growing(np.int64)
    for first in range(0, 1_000, 10):
        growing.add(np.arange(first, first + 10))
    assert growing.rows.tolist() == list(range(1_000))
