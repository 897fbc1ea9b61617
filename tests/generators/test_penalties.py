"""Gradient penalties against closed forms and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from generators.losses.penalties import one_centred, penalty, zero_centred

SLOPE = torch.tensor([1.0, -2.0, 2.0])  # of length 3


def _linear(images: Tensor) -> Tensor:
    return images.flatten(1) @ SLOPE


def _points(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 1, 1, generator=torch.Generator().manual_seed(0))


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize(("kind", "expected"), [("none", 0.0), ("r1", 4.5), ("r1r2", 9.0), ("gp", 4.0)])
def test_a_linear_discriminator_has_the_penalty_of_its_slope(kind: str, expected: float) -> None:
    # |slope| = 3 everywhere: R1 = 9/2, R1 + R2 = 9, GP = (3 - 1)^2.
    found = penalty(kind, _linear, _points(), _points(), _rng())  # type: ignore[arg-type]
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_of_a_small_net_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 9, 1)
    ).double()
    images = torch.randn(2, 1, 3, 3)
    step = 1e-4
    total = 0.0
    for image in images.double():
        for place in range(9):
            moved = torch.zeros(9, dtype=torch.float64)
            moved[place] = step
            shift = moved.reshape(1, 3, 3)
            rise = (net((image + shift)[None]) - net((image - shift)[None])) / (2 * step)
            total += rise.item() ** 2
    expected = 0.5 * total / len(images)
    # 1e-4: the penalty itself runs in fp32.
    assert zero_centred(net.float(), images).item() == pytest.approx(expected, rel=1e-4)


def test_the_penalty_can_be_minimised_over_the_weights() -> None:
    # d/da (|a|^2 / 2) = a.
    slope = SLOPE.clone().requires_grad_(True)
    loss = zero_centred(lambda images: images.flatten(1) @ slope, _points())
    (gradient,) = torch.autograd.grad(loss, slope)
    assert torch.allclose(gradient, SLOPE)


def test_the_one_centred_penalty_looks_between_reals_and_fakes() -> None:
    seen: list[Tensor] = []

    def discriminator(images: Tensor) -> Tensor:
        seen.append(images.detach())
        return images.sum(dim=(1, 2, 3))

    one_centred(discriminator, torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2), _rng())
    points = seen[0].flatten(1)
    assert torch.equal(points.amin(dim=1), points.amax(dim=1))  # one mixture an image
    assert points.min() >= 0
    assert points.max() <= 1
    assert 0.35 < points.mean() < 0.65


def test_a_flat_discriminator_keeps_the_penalty_finite() -> None:
    found = one_centred(lambda images: 0 * images.sum(dim=(1, 2, 3)), _points(), _points(), _rng())
    assert found.item() == pytest.approx(1.0, abs=1e-5)
