"""Penalties computed with a second backward pass: the discriminator's, in fp32, and StyleGAN2's paths.

R1 and R2 are Mescheder et al. 2018 (1801.04406, Eq. 9), GP is Gulrajani et al. 2017 (1704.00028, Eq. 3).
Each is a mean over the batch, before its weight. torch.compile cannot differentiate twice: the loop runs
these eagerly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from generators.contract import Penalty

Discriminator = Callable[[Tensor], Tensor]


def penalty(
    kind: Penalty, discriminator: Discriminator, reals: Tensor, fakes: Tensor, rng: torch.Generator
) -> Tensor:
    """The penalty `kind` at one batch; "r1r2" is R3GAN's sum of both (Huang et al. 2024)."""
    if kind == "r1":
        return zero_centred(discriminator, reals)
    if kind == "r1r2":
        return zero_centred(discriminator, reals) + zero_centred(discriminator, fakes)
    if kind == "gp":
        return one_centred(discriminator, reals, fakes, rng)
    return reals.new_zeros(())


def zero_centred(discriminator: Discriminator, images: Tensor) -> Tensor:
    """E ||grad D(x)||^2 / 2: R1 at reals, R2 at fakes."""
    return 0.5 * _gradient(discriminator, images).square().sum(dim=1).mean()


def one_centred(discriminator: Discriminator, reals: Tensor, fakes: Tensor, rng: torch.Generator) -> Tensor:
    """E (||grad D(u)|| - 1)^2 at points u drawn between each real and a fake."""
    shape = (reals.shape[0],) + (1,) * (reals.dim() - 1)
    mix = torch.rand(shape, generator=rng, device=reals.device)
    gradient = _gradient(discriminator, torch.lerp(reals, fakes, mix))
    # 1e-12 keeps the square root differentiable where the gradient vanishes.
    return (gradient.square().sum(dim=1).add(1e-12).sqrt() - 1).square().mean()


def path_lengths(images: Tensor, styles: Tensor, rng: torch.Generator) -> Tensor:
    """||J^T y|| of each picture (B, C, H, W), J its Jacobian by its styles (B, L, W), y noise: (B,).

    StyleGAN2's measure of how far a step of the style moves a picture (1912.04958, Eq. 4). The noise has
    the variance 1 / (H W); squares are summed over W and averaged over L, as in the released code.
    """
    y = torch.randn(images.shape, generator=rng, device=rng.device) / math.sqrt(images[0, 0].numel())
    (slope,) = torch.autograd.grad((images * y).sum(), styles, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()


def _gradient(discriminator: Discriminator, images: Tensor) -> Tensor:
    points = images.detach().float().requires_grad_(True)
    with torch.autocast(points.device.type, enabled=False):
        logits = discriminator(points)
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient.flatten(1)  # (B, C, H, W) -> (B, C*H*W)
