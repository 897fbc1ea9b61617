"""The smallest GAN the loop accepts: an affine generator of 4x4 images against a linear discriminator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from generators.contract import AdversarialModel, Batch, Losses, Optimisation
from generators.data.memory import ImageSet
from generators.losses.adversarial import bce_discriminator, bce_generator


@dataclass(frozen=True)
class ToyConfig:
    """`breaks_at` makes the generator's loss infinite; `shrinks_at` makes its samples all alike."""

    latent: int = 3
    breaks_at: int = 1_000_000
    shrinks_at: int = 1_000_000


class ToyGenerator(nn.Module):
    def __init__(self, latent: int) -> None:
        super().__init__()
        self.dense = nn.Linear(latent, 16)
        self.norm = nn.BatchNorm1d(16)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.norm(self.dense(z))).reshape(-1, 1, 4, 4)


class ToyGan(AdversarialModel):
    name = "toy"
    paper = "none"
    tags: ClassVar[dict[str, str]] = {"upsampler": "dense"}
    image_shape = (1, 4, 4)

    def __init__(self, config: ToyConfig, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.generator = ToyGenerator(config.latent)
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        fakes = self.sample(None, batch.size, rng)
        return Losses(bce_discriminator(self.discriminator(batch.images), self.discriminator(fakes)))

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        loss = bce_generator(self.discriminator(self.sample(None, batch.size, rng)))
        return Losses(loss / 0 if self.images_seen >= self.config.breaks_at else loss)

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        z = torch.randn(count, self.config.latent, generator=rng, device=rng.device)
        images = self.generator(z)
        return images * 1e-3 if self.images_seen >= self.config.shrinks_at else images

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"z": torch.zeros(count, self.config.latent)}


def toy(seed: int = 0, config: ToyConfig = ToyConfig(), **options: object) -> ToyGan:
    """A toy GAN of 8 images a step, 64 in all unless `options` say otherwise."""
    torch.manual_seed(seed)
    return ToyGan(config, Optimisation(**{"batch": 8, "total_images": 64} | options))


@dataclass
class Conditioned:
    """Random pictures of one shape with every sort of condition a system may ask for."""

    shape: tuple[int, int, int]
    sha256: dict[str, str] = field(default_factory=lambda: {"random": "0"})
    names: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "classes": ("a", "b", "c"),
            "words": ("", "?", *(f"word{n}" for n in range(10))),
            "units": tuple(f"AU{n:02d}" for n in range(17)),
            "persons": ("p", "q", "r", "s"),
        }
    )

    def __len__(self) -> int:
        return 24

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        def picture(channels: int = self.shape[0]) -> Tensor:
            levels = torch.randint(256, (count, channels, *self.shape[1:]), generator=rng)
            return levels.float().div(127.5).sub(1).to(device)

        def index(high: int) -> Tensor:
            return torch.randint(high, (count,), generator=rng).to(device)

        tokens = torch.randint(2, 12, (count, 12), generator=rng)
        tokens[:, 5:] *= torch.rand(count, 7, generator=rng).cumprod(1) > 0.1  # captions of 5 to 12 words
        extra = {
            "tokens": tokens.to(device),
            "condition": picture(3),
            "other": picture(),
            "units": torch.rand(count, 17, generator=rng).to(device),
            "yaw": torch.rand(count, generator=rng).mul(90).sub(45).to(device),
            "identity": index(4),
            "turned": picture(),
            "turned_yaw": torch.rand(count, generator=rng).mul(90).sub(45).to(device),
        }
        return Batch(picture(), index(3), extra)


def pictures(shape: tuple[int, int, int] = (1, 4, 4), count: int = 24) -> ImageSet:
    """`count` random pictures of (C, H, W), always the same."""
    channels, height, width = shape
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)
    return ImageSet(pixels, labels=np.arange(count) % 10, sha256={"random": "0"})
