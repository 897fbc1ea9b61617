"""What every GAN states, and nothing more: networks, losses, how it samples.

A system is one file in `generators/systems/` with a frozen config dataclass, a table
`PRESETS: dict[str, Preset]` and a subclass of `AdversarialModel` built as `Model(config, optimisation)`;
a row of `generators/catalogue.py` makes it known. Optimisers, EMA, precision, the penalties' schedule,
checkpoints, logs, grids and the time budget belong to `generators/training/loop.py`; the shape of this
seam is StyleGAN3's loss object and R3GAN's `AdversarialTraining`.

Networks speak [-1, 1]; every tensor below is float (B, C, H, W) unless said otherwise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from evidence.errors import UsageError

Penalty = Literal["none", "r1", "r1r2", "gp"]

Task = Literal[
    "noise",
    "class",
    "caption",
    "reconstruction",
    "translation",
    "inpainting",
    "outpainting",
    "rotation",
    "animation",
]

Law = Literal["normal", "uniform"]

Role = Literal["latent", "label", "tokens", "image", "mask", "units", "yaw", "truncation"]


@dataclass(frozen=True)
class Batch:
    """One draw of training data: images (B, C, H, W) in [-1, 1] and what goes with them.

    `extra` holds, by the kind of data set: "tokens" (B, T) int64, 0 where the caption has ended;
    "condition" (B, 3, H, W), the source of a pair; "other" (B, C, H, W), pictures of the second domain;
    "units" (B, U) in [0, 1]; "yaw" (B,) in degrees; "identity" (B,) int64; "turned" (B, C, H, W) and
    "turned_yaw" (B,), another picture of the same person.
    """

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
class Input:
    """What one input of an exported generator means, so that a sampler without torch can fill it.

    A latent has a `law`; a label and the units have `names` by index, tokens the words by index (0 ends
    a caption, 1 stands for words that are not known); units, yaw and truncation run from `low` to
    `high`, yaw in degrees; a truncation of 0 gives the mean picture for every latent, 1 the whole variety.
    Images are RGB in [-1, 1]; a mask is 1 where pixels are to be made and 0 where they are kept.
    """

    role: Role
    law: Law = "normal"
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Optimisation:
    """How the loop trains a system. Learning rates per image step, images as the clock.

    Learning rates stay until the share `decay_from` of `total_images` is seen, then fall to 0 in a line.
    With `anneal_images` they, beta2 and the penalty's weight move to their `final_` values in a cosine.
    `clip` bounds the discriminator's weights after each of its steps, as WGAN's first form does.
    """

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
    optimiser: Literal["adam", "rmsprop"] = "adam"
    decay_from: float = 1.0
    clip: float = 0.0
    anneal_images: int = 0
    final_lr: float = 0.0
    final_beta2: float = 0.999
    final_penalty_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batch", "discriminator_steps", "generator_steps", "penalty_interval"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"{name}={getattr(self, name)} is no number of them.", f"Write --set {name}=1 or more."
                )

    def at(self, images_seen: int) -> Optimisation:
        """The options as they stand after `images_seen` images."""
        if self.anneal_images:
            done = 0.5 - 0.5 * math.cos(math.pi * min(images_seen / self.anneal_images, 1.0))
            return replace(
                self,
                generator_lr=_between(self.generator_lr, self.final_lr, done),
                discriminator_lr=_between(self.discriminator_lr, self.final_lr, done),
                betas=(self.betas[0], _between(self.betas[1], self.final_beta2, done)),
                penalty_weight=_between(self.penalty_weight, self.final_penalty_weight, done),
            )
        start = self.decay_from * self.total_images
        if self.decay_from >= 1 or images_seen <= start:
            return self
        left = max(0.0, (self.total_images - images_seen) / (self.total_images - start))
        return replace(
            self, generator_lr=self.generator_lr * left, discriminator_lr=self.discriminator_lr * left
        )


@dataclass(frozen=True)
class Floor:
    """What a figure of a finished run has to reach before its weights may become a model."""

    figure: str
    least: float = -math.inf
    most: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether `value` is within the bounds; NaN never is."""
        return self.least <= value <= self.most

    @property
    def words(self) -> str:
        """The bound for a sentence, such as "at least 0.95"."""
        return f"at least {self.least:g}" if self.least > -math.inf else f"at most {self.most:g}"


@dataclass(frozen=True)
class Preset:
    """A named run of a system: what is built, how and on what it is trained, for how long, to what end."""

    config: Any
    optimisation: Optimisation
    data: str  # name of the data set in `generators/data/shards.py`
    budget_minutes: float
    floors: tuple[Floor, ...] = ()


class TrainingData(Protocol):
    """What the loop trains on: draws of any size, and the sha256 of the files behind them."""

    @property
    def sha256(self) -> dict[str, str]: ...

    @property
    def names(self) -> Mapping[str, tuple[str, ...]]:
        """What indices stand for: "classes", "words", "units", "persons", as the set has them."""
        ...

    def __len__(self) -> int: ...

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` random items on `device`; `rng` lives on the CPU and alone decides which."""
        ...


class AdversarialModel(nn.Module, ABC):
    """A GAN as the loop sees it.

    `generator` and `discriminator` are the two players; their parameters are what the loop's two
    optimisers own. `discriminator` is called with images first, which is what augmentation changes.
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
    task: ClassVar[Task] = "noise"
    parts: ClassVar[tuple[str, ...]] = ("",)  # what `exported` can give: one graph, or several by name
    images_seen: int = 0
    origin: str = ""  # how the catalogue finds the class again; its name, or FILE.py:CLASS

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
        """Example inputs of `exported()`, by argument name, with leading dimension `count`.

        The values are such as the graph will meet; the same `count` gives the same values.
        """

    def exported(self, part: str = "") -> nn.Module:
        """The network that becomes a file: images (B, C, H, W) in [-1, 1] from `export_inputs` by name."""
        return self.generator

    def inputs(self) -> dict[str, Input]:
        """What each of `export_inputs` means; by default each is a latent of the config's law."""
        law: Law = getattr(self.config, "latent_law", "normal")
        return {name: Input("latent", law=law) for name in self.export_inputs(1)}

    def fitted(self, data: TrainingData) -> Any:
        """The config with what only the data can say: its classes, its words, its persons."""
        return self.config

    def shown(self, batch: Batch) -> Tensor | None:
        """The pictures that samples of `batch` answer, which sheets show above them; None for none."""
        return None

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        """What a system of this task is judged by, besides its likeness to reals: class accuracy, say.

        Called in eval mode, with the averaged generator, on data it was not trained on.
        """
        return {}

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The discriminator as a function of images alone, for the gradient penalty on `batch`."""
        return self.discriminator

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
        """Which axes may vary at export: "batch", and "height", "width" of all images if free."""
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


def _between(start: float, end: float, done: float) -> float:
    return start + (end - start) * done
