"""Tiles lie on the grid, share one shape and leave no whole cell out."""

import numpy as np
import pytest

from detector.tiles import Tile, choose, cut, grow, plan


@pytest.mark.parametrize(
    ("height", "width"), [(64, 64), (250, 250), (375, 500), (481, 321), (720, 1280), (65, 999)]
)
def test_tiles_cover_every_whole_cell_on_the_eight_pixel_grid(height: int, width: int) -> None:
    tiles = plan(height, width)

    seen = np.zeros((height, width), int)
    for tile in tiles:
        assert tile.y % 8 == tile.x % 8 == tile.height % 8 == tile.width % 8 == 0
        seen[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] += 1

    assert len({(tile.height, tile.width) for tile in tiles}) == 1
    assert seen[: height // 8 * 8, : width // 8 * 8].min() >= 1
    assert seen[height // 8 * 8 :].sum() == seen[:, width // 8 * 8 :].sum() == 0


def test_a_picture_no_larger_than_a_tile_is_one_tile() -> None:
    assert plan(250, 199) == [Tile(0, 0, 248, 192)]


def test_a_sample_of_tiles_spans_the_picture() -> None:
    tiles = plan(3000, 4000, max_tiles=9)

    assert len(tiles) == 9
    assert (tiles[0].y, tiles[0].x) == (0, 0)
    assert (tiles[-1].y, tiles[-1].x) == (2744, 3744)


def test_choice_takes_the_textured_tiles_beside_the_even_ones() -> None:
    pixels = np.full((1024, 1024, 3), 128, np.uint8)
    busy = [Tile(256, 512, 256, 256), Tile(512, 256, 256, 256)]
    rng = np.random.default_rng(0)
    for tile in busy:
        patch = (slice(tile.y, tile.y + 256), slice(tile.x, tile.x + 256))
        pixels[patch] = rng.integers(0, 256, (256, 256, 3))

    chosen = choose(pixels, plan(1024, 1024), 4)

    assert len(chosen) == 4
    assert set(busy) <= set(chosen)
    assert chosen == sorted(chosen, key=lambda t: (t.y, t.x))


def test_cutting_returns_the_pixels_of_each_tile() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 500, 3), np.uint8)
    tiles = plan(300, 500)

    cuts = cut(pixels, tiles)

    assert cuts.shape == (len(tiles), 256, 256, 3)
    assert np.array_equal(cuts[-1], pixels[40:296, 240:496])


@pytest.mark.parametrize("shape", [(1, 1), (20, 300), (63, 64)])
def test_a_small_picture_is_reflected_not_padded_with_black(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 200, np.uint8)

    cuts = cut(pixels, plan(*shape))

    assert min(cuts.shape[1:3]) == 64
    assert (cuts == 200).all()
    assert min(grow(pixels).shape[:2]) == 64
