"""Adversarial losses against the papers' formulas and torch's own cross entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from generators.losses.adversarial import LOSSES

REAL, FAKE = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 3.0])


def _softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_the_relativistic_loss_compares_each_real_with_its_fake() -> None:
    loss = LOSSES["relativistic"]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx((_softplus(-1) + _softplus(1)) / 2)
    assert loss.generator(REAL, FAKE).item() == pytest.approx((_softplus(1) + _softplus(-1)) / 2)
    # Only differences count: a constant on every logit changes nothing.
    assert loss.discriminator(REAL + 5, FAKE + 5).item() == pytest.approx(
        loss.discriminator(REAL, FAKE).item()
    )


def test_the_non_saturating_loss_is_cross_entropy_with_real_as_one() -> None:
    ones, zeros = torch.ones(2), torch.zeros(2)
    expected = binary_cross_entropy_with_logits(REAL, ones) + binary_cross_entropy_with_logits(FAKE, zeros)
    assert LOSSES["bce"].discriminator(REAL, FAKE).item() == pytest.approx(expected.item())
    expected = binary_cross_entropy_with_logits(FAKE, ones)
    assert LOSSES["bce"].generator(REAL, FAKE).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("lsgan", 0.5 * (0.5 + 4.5), 0.5 * 2.5),  # ((0 + 1)/2 + (0 + 9)/2)/2; (1 + 4)/2/2
        ("hinge", 0.0 + (1 + 4) / 2, -1.5),
        ("wasserstein", 1.5 - 1.5, -1.5),
    ],
)
def test_the_other_losses_give_what_a_hand_computes(
    name: str, discriminator: float, generator: float
) -> None:
    assert LOSSES[name].discriminator(REAL, FAKE).item() == pytest.approx(discriminator)
    assert LOSSES[name].generator(REAL, FAKE).item() == pytest.approx(generator)


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_wants_the_fake_logit_moved_the_other_way(name: str) -> None:
    fake = torch.tensor([0.2], requires_grad=True)
    real = torch.tensor([0.1])
    (down,) = torch.autograd.grad(LOSSES[name].discriminator(real, fake), fake)
    (up,) = torch.autograd.grad(LOSSES[name].generator(real, fake), fake)
    assert down > 0 > up
