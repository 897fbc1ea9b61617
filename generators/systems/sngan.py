"""SN-GAN: spectral normalisation of every layer of the discriminator (Miyato et al. 2018, 1802.05957).

`published` is the paper's residual network for CIFAR-10 (table 4) with the hinge loss: generator 256 wide,
discriminator 128, Adam (0, 0.9) at 2e-4 falling to zero over 50 000 generator steps with five of the
discriminator to each (pfnet-research/sngan_projection, `sn_cifar10_unconditional.yml`). The released last
layer has no bias, and the generator plays batches of 128 against 64; ours has one and plays 64. `shipped` is
narrower, with one step each and twice the discriminator's rate, for a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from generators.contract import Optimisation, Preset
from generators.networks.residual import ResidualDiscriminator, ResidualGenerator
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """Widths at each size: the generator's from the bottom up, the discriminator's after each block."""

    image_size: int = 32
    channels: int = 3
    latent: int = 128
    generator_widths: tuple[int, ...] = (256, 256, 256, 256)
    discriminator_widths: tuple[int, ...] = (128, 128, 128, 128)
    halvings: int = 2


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=64,
            betas=(0.0, 0.9),
            discriminator_steps=5,
            ema_half_life_images=0.0,
            total_images=16_000_000,  # 50 000 generator steps of 5 x 64
            decay_from=0.0,
        ),
        data="cifar10",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        config=Config(generator_widths=(64, 48, 32, 24), discriminator_widths=(24, 32, 48, 64), halvings=3),
        optimisation=Optimisation(
            batch=32,
            generator_lr=4e-4,
            discriminator_lr=8e-4,
            betas=(0.0, 0.9),
            augment="color,translation",
            precision="bf16",
            total_images=60_000,
        ),
        data="faces-celeba",
        budget_minutes=20.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(latent=8, generator_widths=(8, 8, 8, 8), discriminator_widths=(8, 8, 8)),
        optimisation=Optimisation(
            batch=4,
            betas=(0.0, 0.9),
            discriminator_steps=2,
            ema_half_life_images=32.0,
            total_images=64,
        ),
        data="cifar10",
        budget_minutes=0.1,
    ),
}


class Sngan(NoiseModel):
    """Residual players and the hinge loss; the norm is in the discriminator's weights."""

    name = "sngan"
    paper = "Miyato et al. 2018, Spectral Normalization for GANs, arXiv 1802.05957"
    tags: ClassVar[dict[str, str]] = {"upsampler": "nearest", "normalisation": "batch", "loss": "hinge"}

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        generator = ResidualGenerator(
            config.latent,
            config.generator_widths,
            bottom=config.image_size >> (len(config.generator_widths) - 1),
            channels=config.channels,
        )
        discriminator = ResidualDiscriminator(
            config.channels,
            config.discriminator_widths,
            halvings=config.halvings,
            spectral=True,
            pooling="sum",
        )
        super().__init__(config, optimisation, generator, discriminator)
