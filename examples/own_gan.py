"""A GAN of your own, outside the catalogue, in sixty lines: small convolutions and the hinge loss.

touchstone train examples/own_gan.py:OwnGan --data path/to/pictures --out runs/own
touchstone export own --run runs/own --trust examples/own_gan.py:OwnGan
touchstone generate own --out samples/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from generators.contract import AdversarialModel, Batch, Losses, Optimisation, Preset
from generators.losses.adversarial import LOSSES


@dataclass(frozen=True)
class Config:
    latent: int = 32
    width: int = 32


PRESETS = {"shipped": Preset(Config(), Optimisation(batch=16), data="faces-celeba", budget_minutes=5.0)}


class OwnGan(AdversarialModel):
    name = "own"
    kind = "faces"
    paper = "none"
    tags: ClassVar[dict[str, str]] = {"upsampler": "nearest", "normalisation": "none", "loss": "hinge"}
    image_shape = (3, 32, 32)

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation, width = config, optimisation, config.width
        start = [nn.Linear(config.latent, width * 16), nn.Unflatten(1, (width, 4, 4))]
        up: list[nn.Module] = []
        for _ in range(3):
            up += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU()]
        self.generator = nn.Sequential(*start, *up, nn.Conv2d(width, 3, 3, 1, 1), nn.Tanh())
        down = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 4, 2, 1)]
        self.discriminator = nn.Sequential(*down, nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(width * 64, 1))

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        fake = self.discriminator(self.sample(batch, batch.size, rng).detach())
        return Losses(LOSSES["hinge"].discriminator(self.discriminator(batch.images), fake))

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        fake = self.discriminator(self.sample(batch, batch.size, rng))
        return Losses(LOSSES["hinge"].generator(fake, fake))

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        return self.generator(torch.randn(count, self.config.latent, generator=rng, device=rng.device))

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"input": torch.randn(count, self.config.latent, generator=torch.Generator().manual_seed(0))}
