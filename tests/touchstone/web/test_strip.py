"""The heat strip: a bar for each judged frame in the right place, and the frames worth a look."""

from __future__ import annotations

from evidence.verdict import Report, TimelinePoint
from touchstone.report.figures import WORST, worst_frames
from touchstone.web.strip import heat_strip


def _report(*points: tuple[float, float], seconds: float = 10.0) -> Report:
    timeline = tuple(TimelinePoint(t, int(t * 25), p) for t, p in points)
    return Report("id", {"duration_s": seconds, "kind": "video"}, "ok", timeline=timeline)


def test_a_bar_reaches_half_way_to_its_neighbours_and_as_high_as_its_probability() -> None:
    strip = heat_strip(_report((0.0, 0.5), (4.0, 1.0), (8.0, 0.1)))

    assert strip is not None
    # Of 10 s in 1000 units: 0 to 2 s, 2 to 6 s, 6 s to the end.
    assert strip.bars[2] == "M0.0 100v-50.0h200.0V100z"
    assert strip.bars[4] == "M200.0 100v-100.0h400.0V100z"
    assert strip.bars[0] == "M600.0 100v-10.0h400.0V100z"
    assert strip.bars[1] == strip.bars[3] == ""


def test_a_frame_without_a_sign_is_still_seen_to_have_been_judged() -> None:
    strip = heat_strip(_report((0.0, 0.0), (5.0, 0.0)))

    assert strip is not None
    assert "v-3.0" in strip.bars[0]


def test_one_frame_makes_no_strip() -> None:
    assert heat_strip(_report((0.0, 0.9))) is None


def test_the_worst_frames_are_of_different_moments_and_in_order_of_time() -> None:
    close = [(5.0 + i / 25, 0.99) for i in range(25)]
    points = _report((0.0, 0.1), (2.0, 0.8), *close, (9.0, 0.95), (10.0, 0.2)).timeline

    worst = worst_frames(points)

    assert [point.t for point in worst] == [2.0, 5.0, 5.52, 9.0]


def test_no_more_than_a_handful_of_worst_frames_is_shown() -> None:
    assert len(worst_frames(_report(*((float(t), 0.9) for t in range(100))).timeline)) == WORST


def test_a_calm_video_has_one_worst_frame() -> None:
    assert [p.t for p in worst_frames(_report((0.0, 0.1), (5.0, 0.3), (9.0, 0.2)).timeline)] == [5.0]
