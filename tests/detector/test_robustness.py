"""The grid asks for each delivery once, names the worst first, and counts verdicts that turned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.clips import changes_rate
from detector.corrupt import apply
from detector.readers import Entry, Label
from detector.robustness import GRID, HARMLESS, Chain, cells_named, chosen, measure
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import UsageError
from tests.detector.pictures import photograph

KNOWING = Calibration(fake_at=0.8, real_below=0.2)


def item(number: int, label: Label, logit: float) -> Scored:
    return Scored(Entry(Path("x"), f"{label}{number}", label, group=f"g{number}"), logit, 300, 100)


def test_every_cell_of_the_grid_can_be_done_to_a_picture() -> None:
    for chain in (*GRID.values(), *HARMLESS.values()):
        assert apply(photograph(0, 72, 80), chain).dtype == np.uint8
    assert len(HARMLESS) == 12
    assert all(step.settings["quality"] >= 90 for chain in HARMLESS.values() for step in chain)


def test_the_worst_cell_stands_first_and_flips_are_counted() -> None:
    asked: list[str] = []

    def score(name: str, chain: Chain) -> list[Scored]:
        asked.append(name)
        turned = -1.0 if name == "blur 3" else 1.0
        first = -5.0 if name == "saved as WebP 95" else 5.0
        fakes = [item(n, "fake", turned * (first if n == 0 else 5.0)) for n in range(4)]
        return [*fakes, *(item(n, "real", turned * -5.0) for n in range(4))]

    found = measure(score, KNOWING, draws=5)

    of_pictures = [name for name, chain in GRID.items() if not changes_rate(chain)]
    assert sorted(asked) == sorted(["", *of_pictures, *HARMLESS])
    assert (found.cells[0].name, found.cells[0].auc, found.cells[0].flips) == ("blur 3", 0.0, 1.0)
    assert found.cells[1].flips == 0
    assert dict(found.harmless)["saved as WebP 95"] == 1 / 8
    assert found.flipped == 1 / 8
    assert found.pictures == 8


def test_a_cell_that_cannot_be_measured_stands_last_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.robustness.can_encode", lambda codec: codec != "h265")

    def score(name: str, chain: Chain) -> list[Scored]:
        return [
            item(n, label, 5.0 if label == "fake" else -5.0) for n in range(4) for label in ("real", "fake")
        ]

    found = measure(score, KNOWING, draws=5)

    notes = {cell.name: cell.note for cell in found.cells if cell.note}
    assert notes["H.265 at CRF 28"] == "this build of FFmpeg cannot write h265"
    assert notes["half the frames of a clip"] == "there are no real and forged clips here"
    assert len(found.cells) == len(GRID)
    assert all(cell.note for cell in found.cells[-len(notes) :])
    assert "VP9 at CRF 35" not in notes


def test_where_frames_are_dropped_only_clips_count() -> None:
    def score(name: str, chain: Chain) -> list[Scored]:
        clips = [
            replace(item(n, label, 3.0 if label == "fake" else -3.0), short_side=None)
            for n in range(10, 13)
            for label in ("real", "fake")
        ]
        return [*clips, item(0, "real", 9.0), item(1, "fake", -9.0)]

    found = measure(score, KNOWING, cells=cells_named("half the frames*"), draws=5)

    (cell,) = found.cells
    assert (cell.auc, cell.flips, cell.note) == (1.0, 0.0, "")


def test_some_cells_alone_can_be_asked_for() -> None:
    assert set(cells_named("jpeg 30*")) == {name for name in GRID if name.startswith("JPEG 30")}
    assert cells_named("*") == GRID
    with pytest.raises(UsageError, match="JPEG 30 4:2:0 by mozjpeg"):
        cells_named("nothing")


def test_to_become_uncertain_is_no_flip() -> None:
    def score(name: str, chain: Chain) -> list[Scored]:
        return [item(0, "fake", 0.0 if name else 5.0), item(0, "real", -5.0)]

    assert measure(score, KNOWING, draws=5).flipped == 0


def test_a_share_takes_whole_groups_and_the_same_each_time() -> None:
    entries = [item(n, label, 0).entry for n in range(400) for label in ("real", "fake")]

    half = chosen(entries, 0.5)

    assert half == chosen(entries, 0.5)
    assert {entry.group for entry in half if entry.label == "real"} == {entry.group for entry in half}
    assert len(half) / len(entries) == pytest.approx(0.5, abs=0.1)  # four deviations of 400 draws
    assert chosen(entries, 1.0) == entries
