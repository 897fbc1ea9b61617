"""Frames are chosen by the clock, and only what they need is decoded."""

from __future__ import annotations

import numpy as np
import pytest

from evidence.medium import Sampling
from evidence.timetable import Timetable, make_plan


def _table(ticks: list[int], keys: set[int], stated: float | None = None) -> Timetable:
    """Packets at `ticks`, in file order, ten ticks a second; key frames at the positions `keys`."""
    return Timetable(
        ticks=np.array(ticks),
        key=np.array([at in keys for at in range(len(ticks))]),
        shown=np.ones(len(ticks), dtype=bool),
        known=True,
        tick_seconds=0.1,
        stated_seconds=stated,
    )


def test_every_takes_the_first_frame_at_or_after_each_multiple() -> None:
    table = _table([0, 3, 4, 9, 10, 14, 22], {0})

    plan = make_plan(table, Sampling("every", 0.5), max_frames=100)

    # Multiples 0, .5, 1, 1.5 and 2 s; both 1.5 and 2 s are served by the frame at 2.2 s.
    assert plan.due == (0, 9, 10, 22)
    assert plan.expected == 4


def test_only_the_way_from_the_key_frame_to_the_wanted_frame_is_decoded() -> None:
    # Groups of ten frames; one frame each 1.5 s: 0, 15 and 30.
    table = _table(list(range(40)), {0, 10, 20, 30})

    plan = make_plan(table, Sampling("every", 1.5), max_frames=100)

    assert plan.due == (0, 15, 30)
    assert plan.stretches == ((0, 0), (10, 15), (30, 30))


def test_a_picture_shown_before_its_key_frame_needs_the_one_before() -> None:
    # The file order of an open group: the key frame of tick 12 comes before ticks 10 and 11.
    table = _table([0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14], {0, 10})

    plan = make_plan(table, Sampling("every", 1.0), max_frames=100)

    assert plan.due == (0, 10)
    assert plan.stretches == ((0, 11),)


def test_key_frames_are_taken_unless_they_lie_too_far_apart() -> None:
    dense = _table(list(range(0, 300, 5)), {0, 20, 40})
    sparse = _table(list(range(0, 300, 5)), {0, 25})

    assert make_plan(dense, Sampling("keyframes", 5.0), max_frames=100).due == (0, 100, 200)
    # 25 positions of half a second are 12.5 s: every 5 s instead.
    assert make_plan(sparse, Sampling("keyframes", 5.0), max_frames=100).due == (0, 50, 100, 150, 200, 250)


@pytest.mark.parametrize("mode", ["every", "keyframes", "all"])
def test_too_many_frames_are_thinned_over_the_whole_length(mode: str) -> None:
    table = _table(list(range(1000)), set(range(1000)))

    due = make_plan(table, Sampling(mode, 0.1), max_frames=10).due  # type: ignore[arg-type]

    assert len(due) == 10
    assert due[-1] >= 900
    assert max(np.diff(due)) <= 112


def test_ranges_of_a_video_together_choose_what_the_whole_chooses() -> None:
    table = _table(list(range(0, 1000, 3)), {0})
    sampling = Sampling("every", 0.7)

    whole = make_plan(table, sampling, max_frames=1000).due
    parts = [
        make_plan(table, sampling, max_frames=1000, time_range=(start, start + 25.0)).due
        for start in (0.0, 25.0, 50.0, 75.0)
    ]

    assert sum(parts, ()) == whole


@pytest.mark.parametrize("mode", ["every", "keyframes", "all"])
def test_a_file_that_breaks_off_halfway_has_half_of_what_was_asked(mode: str) -> None:
    table = _table(list(range(200)), set(range(0, 200, 10)), stated=40.0)

    plan = make_plan(table, Sampling(mode, 1.0), max_frames=1000)  # type: ignore[arg-type]

    assert plan.expected == 2 * len(plan.due)


def test_frame_rates_are_told_constant_or_variable() -> None:
    constant = _table([round(number * 33.37) for number in range(50)], {0})
    variable = _table([0, 33, 66, 200, 233], {0})

    assert constant.fps_mode() == "constant"
    assert variable.fps_mode() == "variable"
    assert _table([0], {0}).fps_mode() is None
