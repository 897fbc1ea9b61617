"""The heat of a picture: known maps give known probabilities, areas and shares."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tiny_detector import CALIBRATION
from worker.regions import areas, for_report, probabilities


def test_a_uniform_fake_reads_fake_everywhere_and_is_one_area() -> None:
    heat = probabilities(np.full((16, 24), 4.0), 4.0, CALIBRATION)

    found, share = areas(heat, CALIBRATION, 128, 192)

    assert heat == pytest.approx(CALIBRATION.score(4.0))
    assert [region.box for region in found] == [(0, 0, 192, 128)]
    assert share == 1.0


def test_a_hot_spot_no_stronger_than_a_real_picture_has_is_no_area() -> None:
    grid = np.full((32, 32), -4.0)
    grid[8:16, 8:16] = 1.0  # five logits above the whole, but below the margin plus the threshold

    heat = probabilities(grid, float(grid.mean()), CALIBRATION)

    assert areas(heat, CALIBRATION, 256, 256) == ((), 0.0)


def test_a_pasted_part_is_found_where_it_is() -> None:
    grid = np.full((32, 32), -5.0)
    grid[8:20, 4:14] = 8.0

    heat = probabilities(grid, float(grid.mean()), CALIBRATION)
    (area,), share = areas(heat, CALIBRATION, 256, 256)

    # Smoothing over five cells may move each edge by two cells, 16 px.
    assert np.abs(np.array(area.box) - (32, 64, 112, 160)).max() <= 16
    assert share == pytest.approx(120 / 1024, abs=0.05)


def test_cells_nobody_looked_at_stay_unknown() -> None:
    grid = np.full((16, 16), 5.0)
    grid[:, 8:] = np.nan

    heat = probabilities(grid, 5.0, CALIBRATION)
    (area,), share = areas(heat, CALIBRATION, 128, 128)

    assert np.isnan(heat[:, 8:]).all()
    assert heat[:, :8] == pytest.approx(CALIBRATION.score(5.0))
    assert area.box == (0, 0, 64, 128)
    assert share == 1.0  # of what was looked at


def test_a_lone_hot_cell_is_no_area() -> None:
    grid = np.full((16, 16), -3.0)
    grid[4, 4] = 40.0

    heat = probabilities(grid, -3.0, CALIBRATION)

    assert areas(heat, CALIBRATION, 128, 128)[0] == ()


def test_boxes_end_at_the_edge_of_a_picture_smaller_than_its_grid() -> None:
    heat = probabilities(np.full((8, 8), 6.0), 6.0, CALIBRATION)

    (area,), _ = areas(heat, CALIBRATION, 40, 50)

    assert area.box == (0, 0, 50, 40)


def test_the_map_in_a_report_is_small_and_says_none_where_nobody_looked() -> None:
    heat = np.full((100, 64), 0.25, np.float32)
    heat[:50] = np.nan

    small = for_report(heat)

    assert (len(small), len(small[0])) == (32, 32)
    assert small[0] == (None,) * 32
    assert small[-1] == (0.25,) * 32
