"""What the systems share that make images of noise alone: latents of one law, one loss by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from generators.contract import AdversarialModel, Batch, Floor, Losses, Optimisation
from generators.losses.adversarial import LOSSES, AdversarialLoss

# Of 512 samples against as many held-out faces (reals against reals have 0.91 and 0.91). Five models that
# shipped before this had a precision of 0.73 to 0.92 and a coverage of 0.57 to 0.66; TAC-GAN's run whose
# faces were all alike had a coverage of 0.08. Few samples alike, or many unlike any face, are refused.
LIKENESS = (Floor("precision", least=0.6), Floor("coverage", least=0.4), Floor("fid_ratio", most=0.3))


class NoiseModel(AdversarialModel):
    """A generator of latents z (B, latent) against a discriminator with one logit an image.

    The config has `image_size`, `channels`, `latent` and, where it is not always normal, `latent_law`. The
    loss is the one of `losses/adversarial.py` that the fingerprint names.
    """

    def __init__(
        self, config: Any, optimisation: Optimisation, generator: nn.Module, discriminator: nn.Module
    ) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.generator, self.discriminator = generator, discriminator

    @property
    def loss(self) -> AdversarialLoss:
        return LOSSES[self.fingerprint()["loss"]]

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """z (count, latent) of the config's law."""
        shape = (count, self.config.latent)
        if getattr(self.config, "latent_law", "normal") == "uniform":
            return torch.rand(shape, generator=rng, device=rng.device) * 2 - 1
        return torch.randn(shape, generator=rng, device=rng.device)

    def generate(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` images from fresh latents."""
        images: Tensor = self.generator(self.latents(count, rng))
        return images

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            fakes = self.generate(batch.size, rng)
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        total = self.loss.discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        fake = self.discriminator(self.generate(batch.size, rng))
        real = self.discriminator(batch.images) if self.loss.pairs else fake
        return Losses(self.loss.generator(real, fake))

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        return self.generate(count, rng)

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"z": self.latents(count, torch.Generator().manual_seed(0))}
