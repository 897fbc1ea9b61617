"""What lets a detector that learned more take the place of another, and what does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.entries import Entry, Label
from detector.gates import Gate, gates
from detector.scoring import Scored
from detector.thresholds import Calibration

READING = Calibration(fake_at=0.9, real_below=0.1)


def scored(reals: float, known: float, added: float, *, alarms: int = 0, seed: int = 0) -> list[Scored]:
    """200 reals, 200 forgeries of two known families and 50 of a new one, around these logits."""
    rng = np.random.default_rng(seed)
    found = []
    for label, family, count, middle in (
        ("real", "", 200, reals),
        ("fake", "haar", 100, known),
        ("fake", "vae", 100, known),
        ("fake", "new", 50, added),
    ):
        logits = middle + rng.normal(0.0, 0.5, count)
        logits[: alarms if label == "real" else 0] = 5.0
        kind: Label = "real" if label == "real" else "fake"
        found += [
            Scored(
                Entry(Path(f"{label}{n}"), f"{label}{family}{n}", kind, family=family, group=f"{family}{n}"),
                float(logit),
                300,
                100,
            )
            for n, logit in enumerate(logits)
        ]
    return found


def judged(before: list[Scored], after: list[Scored]) -> dict[str, Gate]:
    learned, pooled, family, alarms = gates(before, after, READING, READING, ["new"])
    return {"learned": learned, "pooled": pooled, "family": family, "alarms": alarms}


def test_a_detector_that_learned_and_forgot_nothing_passes() -> None:
    found = judged(scored(-3.0, 1.0, -3.0), scored(-3.0, 1.0, 1.0, seed=1))

    assert all(gate.holds for gate in found.values())
    assert found["learned"].found.endswith("1.0000 now")


@pytest.mark.parametrize(
    ("after", "failed"),
    [
        (scored(-3.0, 1.0, -2.8, seed=1), "learned"),
        (scored(-3.0, -2.0, 1.0, seed=1), "pooled"),
        (scored(-3.0, -2.0, 1.0, seed=1), "family"),
        (scored(-3.0, 1.0, 1.0, alarms=5, seed=1), "alarms"),
    ],
)
def test_a_gate_that_does_not_hold_says_what_was_found(after: list[Scored], failed: str) -> None:
    found = judged(scored(-3.0, 1.0, -3.0), after)

    assert not found[failed].holds


def test_a_few_more_false_alarms_may_be_chance() -> None:
    found = judged(scored(-3.0, 1.0, -3.0), scored(-3.0, 1.0, 1.0, alarms=4, seed=1))

    assert found["alarms"].holds
    assert found["alarms"].found == "0 before, 4 now, of 200"
