"""The vanilla GAN: two multilayer perceptrons on digits (Goodfellow et al. 2014, 1406.2661).

The `published` preset follows the most read implementation, eriklindernoren/PyTorch-GAN `gan.py`, not the
paper's maxout nets: it plays the generator first and carries a batch norm epsilon of 0.8, Keras's momentum
passed where PyTorch takes epsilon (its issue 116). We draw the discriminator's fakes anew from the same
latents, after the generator's step rather than before. `shipped` puts the epsilon right
and adds R1 and faster optimisers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from generators.contract import AdversarialModel, Batch, Floor, Losses, Optimisation, Preset, TrainingData
from generators.losses.adversarial import bce_discriminator, bce_generator
from generators.metrics.by_class import figures_by_class
from generators.noise import LIKENESS

# nn.BatchNorm1d(width, 0.8) in the released code: the second argument is epsilon, not momentum.
PUBLISHED_EPSILON = 0.8


@dataclass(frozen=True)
class Config:
    """Sizes of the perceptrons; images are `channels` x `image_size` x `image_size`."""

    image_size: int = 28
    channels: int = 1
    latent: int = 100
    generator_widths: tuple[int, ...] = (128, 256, 512, 1024)
    discriminator_widths: tuple[int, ...] = (512, 256)
    batch_norm_epsilon: float = 1e-5
    dropout: float = 0.0  # in the discriminator; 0.3 to 0.5 keeps it from memorising


PRESETS = {
    "published": Preset(
        config=Config(batch_norm_epsilon=PUBLISHED_EPSILON),
        optimisation=Optimisation(
            batch=64,
            generator_first=True,
            ema_half_life_images=0.0,
            total_images=12_000_000,  # 200 epochs of 60 000
        ),
        data="mnist",
        budget_minutes=120.0,
    ),
    "shipped": Preset(
        config=Config(),
        # Tried for 100 000 images: the published options give FID 331 and Inception score 3.3 on our digit
        # classifier, with R1 238 and 4.2, with R1 and Adam (0, 0.9) at 5e-4 44 and 7.0.
        optimisation=Optimisation(
            batch=64,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            betas=(0.0, 0.9),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=8,
            total_images=4_000_000,
        ),
        data="mnist",
        budget_minutes=20.0,  # of one core: 3.4 million images, score 9.09
        floors=(Floor("inception_score", least=9.0), Floor("copies", most=0.03), *LIKENESS),
    ),
    "smoke": Preset(
        config=Config(latent=8, generator_widths=(16, 32), discriminator_widths=(16,)),
        optimisation=Optimisation(batch=8, ema_half_life_images=64.0, total_images=64),
        data="mnist",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """z (B, latent) -> image (B, C, H, W) in [-1, 1]; batch norm on all hidden layers but the first."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.shape = (config.channels, config.image_size, config.image_size)
        layers: list[nn.Module] = []
        inputs = config.latent
        for n, width in enumerate(config.generator_widths):
            layers.append(nn.Linear(inputs, width))
            if n > 0:
                layers.append(nn.BatchNorm1d(width, eps=config.batch_norm_epsilon))
            layers.append(nn.LeakyReLU(0.2))
            inputs = width
        pixels = config.channels * config.image_size**2
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, pixels), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        flat: Tensor = self.layers(z)
        return flat.reshape(-1, *self.shape)  # (B, C*H*W) -> (B, C, H, W)


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> logit (B,); the sigmoid is in the loss."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = config.channels * config.image_size**2
        for width in config.discriminator_widths:
            layers += [nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Dropout(config.dropout)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, 1))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.flatten(1))
        return logits.squeeze(1).float()  # (B, 1) -> (B,)


class Vanilla(AdversarialModel):
    """Two perceptrons and the non-saturating loss."""

    name = "vanilla"
    paper = "Goodfellow et al. 2014, Generative Adversarial Networks, arXiv 1406.2661"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "dense",
        "normalisation": "batch",
        "loss": "non-saturating",
    }

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)

    def generate(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` images from latents z ~ N(0, 1)."""
        z = torch.randn(count, self.config.latent, generator=rng, device=rng.device)
        images: Tensor = self.generator(z)
        return images

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            fakes = self.generate(batch.size, rng)
        real, fake = self.discriminator(batch.images), self.discriminator(fakes)
        # The mean of both halves, as released.
        total = 0.5 * bce_discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        return Losses(bce_generator(self.discriminator(self.generate(batch.size, rng))))

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        return self.generate(count, rng)

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        return figures_by_class(self.generate(2_000, rng).cpu(), held_out)

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"z": torch.randn(count, self.config.latent, generator=torch.Generator().manual_seed(0))}
