"""Every operation's settings have limits, and what is left open is drawn within them from one seed."""

import inspect

import numpy as np
import pytest

from detector.corrupt import CorruptionConfig, Step, apply, draw_step
from detector.operations import OPERATIONS
from detector.presets import PRESETS
from detector.robustness import GRID, HARMLESS
from detector.vocabulary import LIMITS, checked, drawn, takes
from evidence.errors import UsageError
from tests.detector.pictures import photograph


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_limits_name_every_setting_of_an_operation(name: str) -> None:
    assert LIMITS[name].keys() == inspect.signature(OPERATIONS[name]).parameters.keys() - {
        "pixels",
        "picture",
    }
    assert all(key in takes(name) for key in LIMITS[name])


def test_whatever_the_grid_the_presets_and_training_do_is_within_limits() -> None:
    for chain in (*GRID.values(), *HARMLESS.values(), *PRESETS.values()):
        for step in chain:
            checked(step)
    rng = np.random.default_rng(0)
    for name, _ in CorruptionConfig().weights:
        for _ in range(20):
            checked(draw_step(rng, name))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_settled_by_a_seed_and_can_be_done(name: str) -> None:
    first, other = drawn(PRESETS[name], 1), drawn(PRESETS[name], 2)

    assert first == drawn(PRESETS[name], 1)
    assert (first == other) == all("seed" not in LIMITS[step.name] for step in first)
    assert apply(photograph(0, 90, 120), first).ndim == 3


def test_spans_and_choices_are_drawn_within_and_all_of_them() -> None:
    chain = (
        Step("jpeg", {"quality": [60, 62], "sampling": ["4:4:4", "4:2:0"]}),
        Step("noise", {"sigma": [1.0, 2.0]}),
        Step("median", {"size": [3, 7]}),
    )

    many = [drawn(chain, seed) for seed in range(60)]

    assert {one[0].settings["quality"] for one in many} == {60, 61, 62}
    assert {one[0].settings["sampling"] for one in many} == {"4:4:4", "4:2:0"}
    assert {one[2].settings["size"] for one in many} == {3, 5, 7}
    assert all(1 <= one[1].settings["sigma"] <= 2 for one in many)
    assert len({one[1].settings["seed"] for one in many}) == 60
    for one in many:
        for step in one:
            checked(step)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Step("jpg", {"quality": 3}), "'jpeg' is near"),
        (Step("jpeg", {"qualty": 3}), "'quality' is near"),
        (Step("jpeg", {"quality": 175}), "a whole number from 1 to 100"),
        (Step("jpeg", {"quality": 75.5}), "a whole number from 1 to 100"),
        (Step("jpeg", {"quality": True}), "a whole number from 1 to 100"),
        (Step("jpeg", {"quality": [90, 60]}), "the smaller first"),
        (Step("jpeg", {"quality": []}), "the smaller first"),
        (Step("jpeg"), "jpeg needs quality"),
        (Step("jpeg", {"quality": 75, "sampling": "4:1:1"}), "4:4:4, 4:2:2 or 4:2:0"),
        (Step("blur", {"sigma": float("nan")}), "a number from 0.1 to 20"),
        (Step("blur", {"sigma": "much"}), "a number from 0.1 to 20"),
        (Step("median", {"size": 4}), "in steps of 2"),
        (Step("resize", {"factor": 0.5, "kernel": "area", "back": "yes"}), "true or false"),
    ],
)
def test_what_is_unknown_or_out_of_limits_is_refused_with_what_is_allowed(step: Step, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        checked(step)
