"""The moving average: half the way each half-life, buffers as they are, no memory of the random start."""

from __future__ import annotations

import pytest
import torch

from generators.training.ema import MovingAverage
from tests.toy_gan import toy


def _moved(weight: float) -> tuple[MovingAverage, torch.nn.Module]:
    live = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1))
    torch.nn.init.constant_(live[0].weight, 0.0)
    average = MovingAverage(live, half_life_images=100)
    torch.nn.init.constant_(live[0].weight, weight)
    live[1].running_mean.fill_(5.0)
    return average, live


def test_after_one_half_life_half_the_distance_is_gone() -> None:
    average, live = _moved(1.0)
    for _ in range(10):
        average.update(live, images=10, images_seen=1_000_000)
    assert average.generator[0].weight.item() == pytest.approx(0.5, rel=1e-5)


def test_early_on_the_half_life_is_a_twentieth_of_what_was_seen() -> None:
    average, live = _moved(1.0)
    average.update(live, images=10, images_seen=200)  # half-life 10 instead of 100
    assert average.generator[0].weight.item() == pytest.approx(0.5, rel=1e-5)


def test_running_statistics_are_copied_not_averaged() -> None:
    average, live = _moved(1.0)
    average.update(live, images=1, images_seen=1_000_000)
    assert average.generator[1].running_mean.item() == 5.0


def test_a_half_life_of_nothing_follows_the_live_weights() -> None:
    average, live = _moved(1.0)
    average.half_life_images = 0.0
    average.update(live, images=1, images_seen=1_000_000)
    assert average.generator[0].weight.item() == 1.0


def test_settled_statistics_are_those_of_what_the_average_meets() -> None:
    average, live = _moved(1.0)
    average.half_life_images = 10.0
    average.update(live, images=10, images_seen=1_000_000)  # weight 0.5, statistics of the live one
    torch.nn.init.zeros_(average.generator[0].bias)
    average.measure(lambda n: average.generator(torch.tensor([[2.0], [6.0]]) + n))
    # Half of 4 + n for n from 0 to 15, and half of a spread of 2, unbiased.
    norm = average.generator[1]
    assert norm.running_mean.item() == pytest.approx((4 + 7.5) / 2)
    assert norm.running_var.item() == pytest.approx(2.0, rel=1e-5)
    assert not norm.training
    assert norm.momentum == live[1].momentum


def test_measuring_once_more_changes_no_bit() -> None:
    average, live = _moved(1.0)
    average.update(live, images=1, images_seen=1_000_000)
    states = []
    for _ in range(2):
        average.measure(lambda n: average.generator(torch.tensor([[2.0], [6.0]]) + n))
        states.append({name: value.clone() for name, value in average.generator.state_dict().items()})
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_norm_that_no_sample_passes_keeps_its_statistics() -> None:
    average, live = _moved(1.0)
    average.update(live, images=1, images_seen=1_000_000)
    average.measure(lambda n: None)
    assert average.generator[1].running_mean.item() == 5.0


def test_within_the_block_the_model_samples_from_the_average_in_eval_mode() -> None:
    model = toy().train()
    live = model.generator
    average = MovingAverage(live, 100)
    with average.applied_to(model):
        assert model.generator is average.generator
        assert not model.training
    assert model.generator is live
    assert model.training
