"""The calibration counts what a generator made, under every delivery alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.entries import Entry, Label
from detector.site import real_margin
from exports.calibrating import DELIVERIES, Reading, calibrated, readings
from exports.registry import ModelEntry
from exports.runtime import open_detector


def reading(
    label: Label, logit: float, number: int, *, kind: str = "", delivery: str = "as delivered"
) -> Reading:
    name = f"{label}{kind}{number}"
    return Reading(Entry(Path(name), name, label, kind=kind), delivery, logit, logit - 5.0, 300, 90)


@pytest.fixture
def drawn() -> list[Reading]:
    rng = np.random.default_rng(0)
    reals = [reading("real", float(logit), n) for n, logit in enumerate(rng.normal(-3.0, 1.0, 300))]
    fakes = [reading("fake", float(logit), n) for n, logit in enumerate(rng.normal(3.0, 1.0, 300))]
    return reals + fakes


def test_photographs_put_together_do_not_move_the_thresholds(drawn: list[Reading]) -> None:
    splices = [reading("fake", -3.0, number, kind="splice") for number in range(60)]

    assert calibrated([*drawn, *splices]) == calibrated(drawn)
    assert calibrated([*drawn, *[reading("fake", -3.0, n, kind="sample") for n in range(60)]]) != calibrated(
        drawn
    )


def test_the_middle_of_the_reals_is_that_of_the_pictures_as_they_lie(drawn: list[Reading]) -> None:
    worse = [reading("real", 2.0, number, delivery="JPEG quality 75") for number in range(300)]

    found = calibrated([*drawn, *worse])

    as_they_lie = [one.scored(found.part_margin) for one in drawn if one.entry.label == "real"]
    assert found.verdict(found.score(2.0)) != "fake"  # the alarms of each delivery are bounded by themselves
    assert found.real_margin == real_margin(found, as_they_lie)


def test_every_picture_is_read_under_every_delivery(brightness_detector: Path, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((80, 120, 3), 51, np.uint8))
    counted: list[int] = []

    found = readings(
        open_detector(ModelEntry.from_file(brightness_detector)),
        [Entry(tmp_path / "a.png", "a.png", "real")],
        4,
        on_progress=counted.append,
    )

    assert [(one.delivery, one.short_side, one.quality) for one in found] == [
        ("as delivered", 80, 100),
        ("JPEG quality 75", 80, 75),
        ("resized to 0.75", 60, 100),
        ("H.264 frame, CRF 23", 80, 100),
    ]
    assert [one.whole for one in found] == pytest.approx([0.2] * 4, abs=0.01)
    assert (counted, len(DELIVERIES)) == ([1], 4)
