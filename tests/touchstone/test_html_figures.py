"""Known answers for the pictures of the HTML report."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from evidence.medium import Pixels
from evidence.verdict import Report, Segment, TimelinePoint
from touchstone.report.figures import heat_uri, outline, preview_uri, timeline
from worker.pictures import coarse


def _picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_a_large_preview_is_shrunk_and_keeps_its_shape(photo: Pixels) -> None:
    large = np.tile(photo, (8, 8, 1))  # (1536, 2048, 3)

    assert _picture(preview_uri(large)).size == (720, 540)


def test_a_small_preview_keeps_its_size(photo: Pixels) -> None:
    picture = _picture(preview_uri(photo))

    assert (picture.size, picture.format) == ((256, 192), "JPEG")


def test_heat_is_clear_where_cold_red_where_hot_and_grey_where_nobody_looked() -> None:
    heat = np.array([[0.0, 1.0, np.nan]], np.float32)

    cold, hot, unseen = np.asarray(_picture(heat_uri(heat)))[0]

    assert cold[3] == 0
    assert hot[3] > 128
    assert hot[0] > 2 * max(hot[1], hot[2])
    assert unseen[0] == unseen[1] == unseen[2]
    assert unseen[3] > 0


def test_a_fine_heat_map_keeps_its_mean_when_made_coarse() -> None:
    heat = np.random.default_rng(0).random((400, 200)).astype(np.float32)

    small = coarse(heat)

    assert small.shape == (96, 48)
    assert small.mean() == pytest.approx(heat.mean(), abs=1e-3)  # cells of unequal cover, 400 / 96


def test_the_outline_of_a_block_is_its_four_sides() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[2:6, 1:5] = 1.0

    # After the 3 x 3 mean, the inner 2 x 2 cells are 1, cells at the sides 2/3 and at the corners 4/9.
    assert outline(heat, 0.9) == "M2 3v2M4 3v2M2 3h2M2 5h2"


def test_an_unreachable_threshold_outlines_nothing() -> None:
    assert outline(np.ones((4, 4), np.float32), float("inf")) == ""


def test_a_timeline_places_time_and_probability() -> None:
    points = (TimelinePoint(0.0, 0, 0.0), TimelinePoint(5.0, 50, 1.0), TimelinePoint(10.0, 100, 0.25))
    report = Report("a", {"duration_s": 10.0}, "ok", timeline=points, segments=(Segment(4.0, 6.0, 1.0),))

    plot = timeline(report)

    assert plot is not None
    assert plot.line == "M0.0 100.0L500.0 0.0L1000.0 75.0"
    assert plot.worst == (500.0, 0.0)
    assert plot.bands == ((400.0, 200.0),)
    assert plot.ticks == tuple((second / 10, second) for second in (0, 2, 4, 6, 8, 10))


def test_a_segment_that_outlasts_the_video_ends_with_the_plot() -> None:
    points = (TimelinePoint(0.0, 0, 0.9), TimelinePoint(10.0, 100, 0.9))
    segments = (Segment(5.0, 10.4, 0.9), Segment(10.4, 10.4, 0.9))

    plot = timeline(Report("a", {"duration_s": 10.0}, "ok", timeline=points, segments=segments))

    assert plot is not None
    assert plot.bands == ((500.0, 500.0), (997.5, 2.5))


def test_a_single_frame_has_no_timeline() -> None:
    assert timeline(Report("a", {}, "ok", timeline=(TimelinePoint(0.0, 0, 0.5),))) is None
