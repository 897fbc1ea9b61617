"""WGAN-GP: a critic whose gradient is drawn to norm one between reals and fakes (Gulrajani et al. 2017).

1704.00028; `published` is the residual network for CIFAR-10 of its appendix, as released
(igul222/improved_wgan_training, `gan_cifar_resnet.py`) but without the labels: penalty 10, five critic steps,
Adam (0, 0.9) at 2e-4 falling to zero over 100 000 generator steps. The released generator plays batches twice
the critic's and dequantises reals; here both see 64 and reals are as stored. `shipped` is narrower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from generators.contract import Optimisation, Preset
from generators.networks.residual import ResidualDiscriminator, ResidualGenerator
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """Widths at each size: the generator's from the bottom up, the critic's after each of its blocks."""

    image_size: int = 32
    channels: int = 3
    latent: int = 128
    generator_widths: tuple[int, ...] = (128, 128, 128, 128)
    critic_widths: tuple[int, ...] = (128, 128, 128, 128)
    halvings: int = 2


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=64,
            betas=(0.0, 0.9),
            discriminator_steps=5,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=0.0,
            total_images=32_000_000,  # 100 000 generator steps of 5 x 64
            decay_from=0.0,
        ),
        data="cifar10",
        budget_minutes=1_200.0,
    ),
    "shipped": Preset(
        config=Config(generator_widths=(64, 48, 32, 24), critic_widths=(24, 32, 48, 64), halvings=3),
        optimisation=Optimisation(
            # One critic step to each of the generator, as Progressive GAN plays this loss (1710.10196), with
            # twice the rate: a step with the penalty costs as much as three without.
            batch=32,
            generator_lr=5e-4,
            discriminator_lr=1e-3,
            betas=(0.0, 0.9),
            penalty="gp",
            penalty_weight=10.0,
            precision="bf16",
            total_images=60_000,
        ),
        data="faces-celeba",
        budget_minutes=20.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(latent=8, generator_widths=(8, 8, 8, 8), critic_widths=(8, 8, 8)),
        optimisation=Optimisation(
            batch=4,
            betas=(0.0, 0.9),
            discriminator_steps=2,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=32.0,
            total_images=64,
        ),
        data="cifar10",
        budget_minutes=0.1,
    ),
}


class WganGp(NoiseModel):
    """Residual players without norm in the critic; the loop adds the penalty."""

    name = "wgan_gp"
    paper = "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv 1704.00028"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "nearest",
        "normalisation": "batch",
        "loss": "wasserstein",
    }

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        generator = ResidualGenerator(
            config.latent,
            config.generator_widths,
            bottom=config.image_size >> (len(config.generator_widths) - 1),
            channels=config.channels,
        )
        critic = ResidualDiscriminator(
            config.channels, config.critic_widths, halvings=config.halvings, spectral=False, pooling="mean"
        )
        super().__init__(config, optimisation, generator, critic)
