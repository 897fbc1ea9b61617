"""The grid asks for each delivery once, names the worst first, and counts verdicts that turned."""

from pathlib import Path

import numpy as np
import pytest

from detector.corrupt import apply
from detector.readers import Entry, Label
from detector.robustness import GRID, HARMLESS, Chain, chosen, measure
from detector.scoring import Scored
from detector.thresholds import Calibration
from tests.detector.pictures import photograph

KNOWING = Calibration(fake_at=0.8, real_below=0.2)


def item(number: int, label: Label, logit: float) -> Scored:
    return Scored(Entry(Path("x"), f"{label}{number}", label, group=f"g{number}"), logit, 300, 100)


def test_every_cell_of_the_grid_can_be_done_to_a_picture() -> None:
    for chain in (*GRID.values(), *HARMLESS.values()):
        assert apply(photograph(0, 72, 80), chain).dtype == np.uint8
    assert len(HARMLESS) == 12
    assert all(step.parameters["quality"] >= 90 for chain in HARMLESS.values() for step in chain)


def test_the_worst_cell_stands_first_and_flips_are_counted() -> None:
    asked: list[str] = []

    def score(name: str, chain: Chain) -> list[Scored]:
        asked.append(name)
        turned = -1.0 if name == "blur 3" else 1.0
        first = -5.0 if name == "saved as WebP 95" else 5.0
        fakes = [item(n, "fake", turned * (first if n == 0 else 5.0)) for n in range(4)]
        return [*fakes, *(item(n, "real", turned * -5.0) for n in range(4))]

    found = measure(score, KNOWING, draws=5)

    assert sorted(asked) == sorted(["", *GRID, *HARMLESS])
    assert (found.cells[0].name, found.cells[0].auc, found.cells[0].flips) == ("blur 3", 0.0, 1.0)
    assert found.cells[1].flips == 0
    assert dict(found.harmless)["saved as WebP 95"] == 1 / 8
    assert found.flipped == 1 / 8
    assert found.pictures == 8


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
