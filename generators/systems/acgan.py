"""AC-GAN: the discriminator also names the class, and both players gain from its being right (Odena et al.).

Odena, Olah and Shlens 2016 (1610.09585). `published` is the paper's CIFAR-10 table: dense to 384 channels at
4x4, then 5x5 transposed convolutions of 192 and 96, against six 3x3 convolutions with dropout 0.5; Adam
(0.5, 0.999) at 2e-4, the middle of the three rates it searched, batches of 100 for 50 000 steps; of the
activation noise it searched we take none. The table joins the label, one-hot, to the latent: the dense layer
on both is the sum of one on the latent and a table of classes, which is how it stands here. `shipped` makes
digits: doubling from 7x7, with R1 where the paper has batch norm and dropout.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.classes import ClassModel, labels_of
from generators.contract import Batch, Floor, Losses, Optimisation, Preset


@dataclass(frozen=True)
class Config:
    """Every second convolution of the discriminator, from the first, halves the size."""

    image_size: int = 32
    channels: int = 3
    latent: int = 100
    generator_widths: tuple[int, ...] = (384, 192, 96)
    discriminator_widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    discriminator_norm: bool = True
    dropout: float = 0.5
    classes: tuple[str, ...] = tuple(str(label) for label in range(10))


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(batch=100, ema_half_life_images=0.0, total_images=5_000_000),
        data="cifar10",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        config=Config(
            image_size=28,
            channels=1,
            latent=64,
            generator_widths=(64, 32),
            discriminator_widths=(16, 32, 48, 64),
            discriminator_norm=False,
            dropout=0.0,
        ),
        optimisation=Optimisation(
            batch=64,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            betas=(0.0, 0.9),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=8,
            precision="bf16",
            total_images=2_000_000,
        ),
        data="mnist",
        budget_minutes=7.0,
        floors=(
            Floor("class_accuracy", least=0.95),
            Floor("inception_score", least=9.0),
            Floor("copies", most=0.03),
            Floor("fid_ratio", most=0.3),
        ),
    ),
    "smoke": Preset(
        config=Config(
            image_size=28, channels=1, latent=8, generator_widths=(8, 8), discriminator_widths=(8, 8)
        ),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=64),
        data="mnist",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """z (B, latent), label (B,) -> image (B, C, H, W) in [-1, 1]: dense, then 5x5 transposed convolutions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.generator_widths
        self.bottom = config.image_size >> len(widths)
        size = widths[0] * self.bottom**2
        self.dense, self.of_class = nn.Linear(config.latent, size), nn.Embedding(len(config.classes), size)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [_up(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _up(widths[-1], config.channels), nn.Tanh())
        self.apply(_initialise)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        flat = F.relu(self.dense(z) + self.of_class(label))
        images: Tensor = self.layers(flat.reshape(z.shape[0], -1, self.bottom, self.bottom))
        return images


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> logit of being real (B,) and logits of the classes (B, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        widths = (config.channels, *config.discriminator_widths)
        side = config.image_size
        for n, (inputs, outputs) in enumerate(pairwise(widths)):
            stride = 2 - n % 2
            layers.append(nn.Conv2d(inputs, outputs, 3, stride, padding=1))
            if config.discriminator_norm and n > 0:
                layers.append(nn.BatchNorm2d(outputs))
            layers += [nn.LeakyReLU(0.2), nn.Dropout(config.dropout)]
            side = -(-side // stride)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(widths[-1] * side**2, 1 + len(config.classes))
        self.apply(_initialise)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        both = self.head(self.layers(images)).float()
        return both[:, 0], both[:, 1:]


class Acgan(ClassModel):
    """Eq. 2 and 3: the discriminator gains by L_S + L_C, the generator by L_C - L_S."""

    name = "acgan"
    paper = "Odena et al. 2016, Conditional Image Synthesis with Auxiliary Classifier GANs, arXiv 1610.09585"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k5s2",
        "normalisation": "batch",
        "loss": "bce",
    }

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))

    def logits(self, images: Tensor, labels: Tensor) -> Tensor:
        source: Tensor = self.discriminator(images)[0]
        return source

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        labels = self.random_labels(batch.size, rng)
        with torch.no_grad():
            fakes = self.generate(batch.size, rng, labels)
        (real, named), (fake, guessed) = self.discriminator(batch.images), self.discriminator(fakes)
        of_reals, of_fakes = F.cross_entropy(named, labels_of(batch)), F.cross_entropy(guessed, labels)
        total = self.loss.discriminator(real, fake) + of_reals + of_fakes
        return Losses(total, {"class_of_reals": of_reals, "class_of_fakes": of_fakes})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        labels = self.random_labels(batch.size, rng)
        fake, guessed = self.discriminator(self.generate(batch.size, rng, labels))
        return Losses(self.loss.generator(fake, fake) + F.cross_entropy(guessed, labels))


def _up(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=1)


def _initialise(module: nn.Module) -> None:
    # The paper's N(0, 0.02) and biases at zero.
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, 0.0, 0.02)
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
