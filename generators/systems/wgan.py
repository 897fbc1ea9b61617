"""WGAN: a critic kept smooth by clipping its weights, on DCGAN's networks (Arjovsky et al. 2017, 1701.07875).

`published` follows the paper's algorithm 1 and its released code (martinarjovsky/WassersteinGAN): RMSprop at
5e-5, five critic steps to one of the generator, weights clipped to 0.01, DCGAN at 64 px with 4x4 kernels. The
released code gives the critic 100 steps at each of the first 25 and every 500th generator step, which the
paper does not name and we leave out. `shipped` clips as published.
"""

from __future__ import annotations

from generators.contract import Optimisation, Preset
from generators.noise import LIKENESS
from generators.systems.dcgan import Config, Dcgan

PRESETS = {
    "published": Preset(
        config=Config(loss="wasserstein"),
        optimisation=Optimisation(
            batch=64,
            generator_lr=5e-5,
            discriminator_lr=5e-5,
            discriminator_steps=5,
            optimiser="rmsprop",
            clip=0.01,
            ema_half_life_images=0.0,
            total_images=75_000_000,  # 25 epochs of the 3 million bedrooms
        ),
        data="faces-celeba",
        budget_minutes=1_200.0,
    ),
    "shipped": Preset(
        config=Config(loss="wasserstein", image_size=32, width=32),
        # Ten times the published rate and smaller batches: minutes hold few steps. Three critic steps.
        optimisation=Optimisation(
            batch=32,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            discriminator_steps=3,
            optimiser="rmsprop",
            clip=0.01,
            precision="bf16",
            total_images=4_000_000,
        ),
        data="faces-celeba",
        budget_minutes=5.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(loss="wasserstein", image_size=32, latent=8, width=4),
        optimisation=Optimisation(
            batch=4,
            discriminator_steps=2,
            optimiser="rmsprop",
            clip=0.01,
            ema_half_life_images=32.0,
            total_images=64,
        ),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Wgan(Dcgan):
    """The earth mover's distance between reals and fakes, as far as a critic of small weights sees it."""

    name = "wgan"
    paper = "Arjovsky et al. 2017, Wasserstein GAN, arXiv 1701.07875"
