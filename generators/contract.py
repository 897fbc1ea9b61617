"""What every GAN states, and nothing more: networks, losses, how it samples.

A system is one file in `generators/systems/` with a frozen config dataclass, a `PRESETS` table and
a subclass of `AdversarialModel`. Optimisers, EMA, precision, penalties' schedule, checkpoints, logs,
grids and the time budget belong to `generators/training/loop.py`; the shape of this seam is
StyleGAN3's loss object and R3GAN's `AdversarialTraining`.

Networks speak [-1, 1]; every tensor below is float (B, C, H, W) unless said otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

Penalty = Literal["none", "r1", "r1r2", "gp"]


@dataclass(frozen=True)
class Batch:
    """One draw of training data: images (B, C, H, W) in [-1, 1] and what goes with them."""

    images: Tensor
    labels: Tensor | None = None  # (B,) int64 class indices
    extra: dict[str, Tensor] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(self.images.shape[0])


@dataclass(frozen=True)
class Losses:
    """A loss to minimise and the named parts that are logged."""

    total: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimisation:
    """How the loop trains a system. Learning rates per image step, images as the clock."""

    batch: int = 64
    generator_lr: float = 2e-4
    discriminator_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    discriminator_steps: int = 1
    generator_steps: int = 1
    generator_first: bool = False
    penalty: Penalty = "none"
    penalty_weight: float = 0.0
    penalty_interval: int = 1
    ema_half_life_images: float = 10_000.0
    augment: str = ""  # DiffAugment policy, e.g. "color,translation,cutout"
    total_images: int = 1_000_000
    precision: Literal["fp32", "bf16"] = "fp32"


class AdversarialModel(nn.Module, ABC):
    """A GAN as the loop sees it.

    `generator` and `discriminator` are the two players; their parameters are what the loop's two
    optimisers own. `images_seen` is set by the loop before each step, for systems that grow.
    All randomness comes from the `rng` argument.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    tags: ClassVar[dict[str, str]]  # upsampler, normalisation, loss: the fingerprint of its fakes

    generator: nn.Module
    discriminator: nn.Module
    config: Any
    optimisation: Optimisation
    images_seen: int = 0

    @abstractmethod
    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        """The discriminator's loss on one batch, without the gradient penalty."""

    @abstractmethod
    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        """The generator's loss on one batch."""

    @abstractmethod
    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        """`count` generated images (count, C, H, W) in [-1, 1]; `batch` feeds systems that take input."""

    @abstractmethod
    def export_inputs(self, count: int) -> dict[str, Tensor]:
        """Example inputs of `generator.forward`, by argument name, with leading dimension `count`."""

    def penalty_inputs(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Reals and fakes the gradient penalty is taken at; by default the batch and its samples."""
        with torch.no_grad():
            fakes = self.sample(batch, batch.size, rng)
        return batch.images, fakes

    def dynamic_axes(self) -> tuple[str, ...]:
        """Which axes of the first input may vary at export: "batch", and "height","width" if free."""
        return ("batch",)
