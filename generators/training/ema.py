"""The moving average of the generator that every sample is taken from, by half-life in images."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from generators.contract import AdversarialModel

# The half-life never exceeds this share of what was seen, so early averages forget the random start
# (Karras et al. 2020, StyleGAN2-ADA's `ema_rampup`).
RAMP = 0.05


class MovingAverage:
    """A copy of `generator` whose weights follow it; buffers (running statistics) are copied as they are."""

    def __init__(self, generator: nn.Module, half_life_images: float) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self.half_life_images = half_life_images

    @torch.no_grad()
    def update(self, generator: nn.Module, *, images: int, images_seen: int) -> None:
        """Move towards `generator` after `images` more images; half the distance each half-life."""
        half_life = min(self.half_life_images, RAMP * images_seen)
        keep = 0.5 ** (images / half_life) if half_life > 0 else 0.0
        for average, weight in zip(self.generator.parameters(), generator.parameters(), strict=True):
            average.lerp_(weight, 1.0 - keep)
        for copied, buffer in zip(self.generator.buffers(), generator.buffers(), strict=True):
            copied.copy_(buffer)

    @contextmanager
    def applied_to(self, model: AdversarialModel) -> Iterator[None]:
        """Within the block `model` samples from the average, in eval mode."""
        live, training = model.generator, model.training
        model.generator = self.generator
        model.eval()
        try:
            yield
        finally:
            model.generator = live
            model.train(training)
