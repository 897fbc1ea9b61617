"""What every GAN states, and nothing more: networks, losses, how it samples.

A system is one file in `generators/systems/` with a frozen config dataclass, a table
`PRESETS: dict[str, Preset]` and a subclass of `AdversarialModel` built as `Model(config, optimisation)`;
a row of `generators/catalogue.py` makes it known. Optimisers, EMA, precision, the penalties' schedule,
checkpoints, logs, grids and the time budget belong to `generators/training/loop.py`; the shape of this
seam is StyleGAN3's loss object and R3GAN's `AdversarialTraining`.

Networks speak [-1, 1]; every tensor below is float (B, C, H, W) unless said otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

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


@dataclass(frozen=True)
class Preset:
    """A named run of a system: what is built, how and on what it is trained, and for how long."""

    config: Any
    optimisation: Optimisation
    data: str  # name of the data set in `generators/data/shards.py`
    budget_minutes: float


class TrainingData(Protocol):
    """What the loop trains on: draws of any size, and the sha256 of the files behind them."""

    @property
    def sha256(self) -> dict[str, str]: ...

    def __len__(self) -> int: ...

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` random items on `device`; `rng` lives on the CPU and alone decides which."""
        ...


class AdversarialModel(nn.Module, ABC):
    """A GAN as the loop sees it.

    `generator` and `discriminator` are the two players; their parameters are what the loop's two
    optimisers own, and `discriminator(images)` gives logits for penalties and augmentation.
    `images_seen` is set by the loop before each step, for systems that grow. All randomness comes from
    the `rng` argument, which lives on the device of the networks: draw with `device=rng.device`.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    tags: ClassVar[dict[str, str]]  # upsampler, normalisation, loss: what its fakes are told apart by

    generator: nn.Module
    discriminator: nn.Module
    config: Any
    optimisation: Optimisation
    image_shape: tuple[int, int, int]  # (C, H, W) of the training images
    takes_images: ClassVar[bool] = False  # samples answer a batch's images; grids show both
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
        """Reals and fakes the gradient penalty is taken at; by default the batch and its samples.

        R1 looks at reals alone, so nothing is sampled for it.
        """
        if self.optimisation.penalty == "r1":
            return batch.images, batch.images
        with torch.no_grad():
            fakes = self.sample(batch, batch.size, rng)
        return batch.images, fakes

    def dynamic_axes(self) -> tuple[str, ...]:
        """Which axes of the first input may vary at export: "batch", and "height","width" if free."""
        return ("batch",)

    def fingerprint(self) -> dict[str, str]:
        """The tags, with what the config decides; written into the run's record and the model's card."""
        return dict(self.tags)

    def batch_size(self) -> int:
        """How many reals the next step sees; systems that grow shrink it with the resolution."""
        return self.optimisation.batch

    def phase(self) -> int:
        """A number that changes when training enters a phase in which Adam's moments start anew."""
        return 0
