"""The log after a kill, the collapse watch, sheets of samples, the budget's arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import OutputError
from generators.training.budget import Budget, Every, rng_at, seed_at
from generators.training.checkpoint import differences, write_bytes
from generators.training.grids import save_sheet, sheet, to_pixels
from generators.training.stats import CollapseWatch, Log, Means


def test_a_resumed_log_drops_what_lies_past_the_checkpoint_and_half_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in (1, 2, 3)) + '{"step": 4, "lo')
    log = Log(path, from_step=2)
    log.write({"step": 3, "again": True})
    assert log.lines() == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]


def test_means_are_over_the_lines_that_named_the_loss() -> None:
    means = Means()
    means.add({"a": 1.0, "b": 4.0})
    means.add({"a": 3.0})
    assert means.take() == {"a": 2.0, "b": 4.0}
    assert means.take() == {}


def test_a_generator_that_never_varied_has_not_collapsed_and_one_that_did_has() -> None:
    reals = torch.rand(16, 1, 4, 4)
    watch = CollapseWatch(reals)
    assert not watch.look(torch.zeros(16, 1, 4, 4), 10)
    assert not watch.look(reals, 20)
    assert watch.ratio == pytest.approx(1.0)
    assert watch.look(torch.zeros(16, 1, 4, 4), 30)
    assert watch.collapsed_at == [30]
    assert CollapseWatch(reals, **watch.state()).varied_once


def test_pixels_round_to_the_nearest_level_and_clip() -> None:
    images = torch.tensor([-2.0, -1.0, 0.0, 0.5 / 127.5, 1.0, 3.0]).reshape(6, 1, 1, 1)
    assert to_pixels(images).flatten().tolist() == [0, 0, 128, 128, 255, 255]


def test_a_sheet_fills_rows_from_the_left_and_the_rest_with_black() -> None:
    pixels = np.arange(1, 4, dtype=np.uint8).reshape(3, 1, 1, 1)
    assert sheet(pixels, columns=2)[..., 0].tolist() == [[1, 2], [3, 0]]


def test_answers_stand_under_what_they_answer(tmp_path: Path) -> None:
    asked = torch.full((3, 3, 1, 1), -1.0)
    save_sheet(tmp_path / "sheet.png", torch.ones(3, 3, 1, 1), asked, columns=2)
    grey = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    assert grey.tolist() == [[0, 0], [255, 255], [0, 0], [255, 0]]


def test_colours_keep_their_order_in_the_file(tmp_path: Path) -> None:
    red = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1)
    save_sheet(tmp_path / "red.png", red, columns=1)
    assert cv2.imread(str(tmp_path / "red.png"), cv2.IMREAD_COLOR_RGB).tolist() == [[[255, 0, 0]]]


def test_the_time_left_is_the_nearer_of_the_clock_and_the_images() -> None:
    budget = Budget(minutes=1.0, spent_before=30.0)
    assert not budget.over
    assert budget.left(images_seen=50, total_images=1_000) == pytest.approx(30.0, abs=1.0)
    assert budget.left(images_seen=50, total_images=60) == pytest.approx(6.0, abs=1.0)
    assert Budget(minutes=1.0, spent_before=60.0).over
    assert not Budget().over


def test_a_thing_is_due_once_in_its_interval() -> None:
    assert Every(0.0).due()
    assert not Every(1e9).due()


def test_randomness_depends_on_seed_step_and_role_alone() -> None:
    assert seed_at(1, 2, "z") == seed_at(1, 2, "z")
    assert len({seed_at(1, 2, "z"), seed_at(1, 3, "z"), seed_at(2, 2, "z"), seed_at(1, 2, "data")}) == 4
    assert torch.equal(torch.rand(3, generator=rng_at(0, 0, "a")), torch.rand(3, generator=rng_at(0, 0, "a")))


def test_differences_name_nested_fields_and_missing_ones() -> None:
    before, now = {"a": {"b": 1, "c": [1, 2]}}, {"a": {"b": 2, "c": [1, 2]}, "d": 3}
    assert differences(before, now) == ["a.b: 1 -> 2", "d: None -> 3"]


def test_a_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "below", b"")
