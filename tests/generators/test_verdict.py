"""The verdict on a finished run: what is measured, what a floor refuses, and that it is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from evidence.errors import DataError, UsageError
from exports.command import export_run
from generators import catalogue
from generators.contract import AdversarialModel, Batch, Floor
from generators.noise import LIKENESS
from generators.training.command import run
from generators.verdict import VERDICT, judge
from tests.toy_gan import Conditioned

SHAPE = (3, 32, 32)


def sampled(made: object, task: str = "noise") -> AdversarialModel:
    """A DCGAN whose samples are what `made(batch)` gives."""
    model = catalogue.create("dcgan", "smoke")

    def sample(batch: Batch, count: int, rng: torch.Generator) -> Tensor:
        return made(batch)[:count]  # type: ignore[operator, no-any-return]

    model.sample = sample  # type: ignore[method-assign, assignment]
    model.task = task  # type: ignore[misc, assignment]
    return model


@pytest.mark.parametrize("task", ["noise", "rotation"])
def test_reals_for_fakes_are_no_distance_away(task: str) -> None:
    found = judge(sampled(lambda batch: batch.images, task), Conditioned(SHAPE), (), samples=256).figures
    # Means and covariances of one set with itself; 1e-6 of it is what float64 leaves of a root.
    assert found["fid_ratio"] == pytest.approx(0, abs=1e-6)


def test_grey_answers_are_nothing_learnt() -> None:
    grey = sampled(lambda batch: torch.zeros_like(batch.images), "rotation")
    assert judge(grey, Conditioned(SHAPE), (), samples=256).figures["fid_ratio"] == pytest.approx(1.0)


def test_a_floor_that_is_missed_is_said_in_a_sentence() -> None:
    grey = sampled(lambda batch: torch.zeros_like(batch.images), "rotation")
    found = judge(grey, Conditioned(SHAPE), (Floor("fid_ratio", most=0.3),), samples=256)
    assert not found.ships
    assert found.missed == ("fid_ratio is 1, but at most 0.3 is the floor.",)


def test_a_floor_of_a_score_is_found_whatever_extractor_it_was_taken_with() -> None:
    grey = sampled(lambda batch: torch.zeros_like(batch.images), "rotation")
    found = judge(grey, Conditioned(SHAPE), (Floor("coverage", least=0.4),), samples=256)
    (name,) = (name for name in found.figures if name.startswith("coverage@"))
    assert found.missed == (f"{name} is 0, but at least 0.4 is the floor.",)
    assert found.floors == {name: "at least 0.4"}
    assert found.neighbours == 3


def test_a_figure_that_the_data_cannot_give_is_named_and_holds_nobody_back() -> None:
    real = sampled(lambda batch: batch.images)
    found = judge(real, Conditioned(SHAPE), (Floor("copies", most=0.03),), samples=256)
    assert found.ships
    assert found.unmeasured == (
        "copies cannot be measured on this data, so nobody knows whether it reaches its floor, at most 0.03.",
    )
    assert found.words == found.unmeasured[0]


def test_where_a_judge_has_nothing_to_learn_from_the_reason_is_in_the_verdict() -> None:
    def absent(*given: object) -> dict[str, float]:
        raise DataError("The training data folder is not there.", "Set TOUCHSTONE_DATA.")

    model = sampled(lambda batch: batch.images)
    model.figures = absent  # type: ignore[method-assign]
    (sentence,) = judge(model, Conditioned(SHAPE), (Floor("yaw_error", most=8.0),), samples=256).unmeasured
    assert sentence.endswith("at most 8. The training data folder is not there. Set TOUCHSTONE_DATA.")


@pytest.mark.parametrize("system", list(catalogue.CATALOGUE))
def test_a_shipped_preset_has_floors_besides_likeness_to_noise(system: str) -> None:
    _, presets = catalogue.system(system).load()
    floors = {floor.figure for floor in presets["shipped"].floors}
    assert floors - {"fid_ratio"}


@pytest.mark.parametrize(
    "made",
    [lambda images: images[:1].expand_as(images), lambda images: images.mean((2, 3), True).expand_as(images)],
    ids=["one picture again and again", "colours without shapes"],
)
def test_samples_without_variety_or_shapes_miss_the_floors_of_every_noise_system(
    made: Callable[[Tensor], Tensor],
) -> None:
    found = judge(sampled(lambda batch: made(batch.images)), Conditioned(SHAPE), LIKENESS, samples=256)
    assert any(sentence.startswith("coverage") for sentence in found.missed)


def test_no_bound_holds_for_what_is_not_a_number() -> None:
    assert not Floor("x", least=0.0).holds(float("nan"))
    assert Floor("x", least=0.5, most=0.9).holds(0.9)


def test_a_run_ends_with_its_verdict_and_below_a_floor_it_becomes_no_model(
    tmp_path: Path, shared_data: Path
) -> None:
    run("dcgan", preset="smoke", out=tmp_path / "run")
    verdict = tmp_path / "run" / VERDICT
    found = json.loads(verdict.read_text("utf-8"))
    assert found["samples"] == 512
    assert "fid_ratio" in found["figures"]
    verdict.write_text(json.dumps(found | {"missed": ["fid_ratio is 9, but at most 0.3 is the floor."]}))
    with pytest.raises(UsageError, match="below its floor: fid_ratio is 9"):
        export_run(tmp_path / "run", "low", "1.0.0")
