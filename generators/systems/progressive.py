"""Progressive GAN: both players grow, each new resolution fading in (Karras et al. 2017, 1710.10196).

Facts follow the paper's released configuration (`config.py`, v2): 600 000 images of fading and as many of
staying per resolution, WGAN-GP with drift, Adam (0, 0.99) started anew at each phase, larger batches at
smaller sizes. `shipped` keeps the networks, narrower, and trades WGAN-GP for the non-saturating loss with R1
(StyleGAN's choice on the same networks), at a schedule that fits a CPU, to 128 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from evidence.errors import UsageError
from generators.contract import AdversarialModel, Batch, Losses, Optimisation, Preset
from generators.losses.adversarial import LOSSES
from generators.networks.growing import Discriminator, Generator, Growth, doubled
from generators.noise import LIKENESS


@dataclass(frozen=True)
class Config:
    """Channels at a size are 2 x `feature_base` / size, at most `feature_max`; the rest is the schedule."""

    image_size: int = 64  # a power of two
    channels: int = 3
    latent: int = 512
    feature_base: int = 8192
    feature_max: int = 512
    first_size: int = 4
    stable_images: int = 600_000
    fade_images: int = 600_000
    largest_batch: int = 128  # while images are small; `Optimisation.batch` is that of the full size
    loss: Literal["wasserstein", "bce", "relativistic"] = "wasserstein"
    drift: float = 1e-3  # weight of E D(x)^2, which keeps a critic's scale from wandering

    def __post_init__(self) -> None:
        if self.first_size.bit_count() != 1 or self.first_size > self.image_size:
            raise UsageError(
                f"A picture of {self.image_size} px does not grow from {self.first_size} px.",
                "Take a first_size that is a power of two and no larger than image_size.",
            )


_ADAM = (0.0, 0.99)

PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=32,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            betas=_ADAM,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=22_000,  # 0.999 a step of 32: ln 0.5 / ln 0.999 x 32
            total_images=12_000_000,
        ),
        data="faces-celeba",
        budget_minutes=1_200.0,
    ),
    "shipped": Preset(
        # Sizes change soon, so that an hour on two cores is mostly spent at the last.
        config=Config(
            image_size=128,
            latent=128,
            feature_base=512,
            feature_max=128,
            first_size=8,
            stable_images=10_000,
            fade_images=5_000,
            largest_batch=32,
            loss="bce",
            drift=0.0,
        ),
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            betas=_ADAM,
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=8,
            augment="color,translation",
            precision="bf16",
            total_images=110_000,
            decay_from=0.75,
        ),
        data="faces-lfw",  # larger than 128 px, which those of CelebA here are not
        budget_minutes=90.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(
            image_size=16,
            latent=8,
            feature_base=64,
            feature_max=8,
            stable_images=16,
            fade_images=16,
        ),
        optimisation=Optimisation(
            batch=4,
            betas=_ADAM,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=32.0,
            total_images=96,
        ),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Progressive(AdversarialModel):
    """Growing players; what is real is shown at the size, and blended as, the generator draws."""

    name = "progressive"
    paper = "Karras et al. 2017, Progressive Growing of GANs, arXiv 1710.10196"
    tags: ClassVar[dict[str, str]] = {"upsampler": "nearest", "normalisation": "pixel"}

    config: Config
    generator: Generator
    discriminator: Discriminator

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (config.channels, config.image_size, config.image_size)
        widths = tuple(_features(config, size) for size in sizes(config))
        first = config.first_size
        self.generator = Generator(config.latent, widths, first_size=first, channels=config.channels)
        self.discriminator = Discriminator(widths, first_size=first, channels=config.channels)
        self.images_seen = 0

    def fingerprint(self) -> dict[str, str]:
        return self.tags | {"loss": self.config.loss}

    @property
    def images_seen(self) -> int:
        """Reals shown so far; setting it grows both players to where the schedule then stands."""
        return self._images_seen

    @images_seen.setter
    def images_seen(self, count: int) -> None:
        self._images_seen = count
        self.generator.growth = self.discriminator.growth = self.growth

    @property
    def growth(self) -> Growth:
        return growth_at(self.images_seen, self.config)

    def batch_size(self) -> int:
        size = sizes(self.config)[self.growth.level]
        return min(self.config.largest_batch, self.optimisation.batch * self.config.image_size // size)

    def phase(self) -> int:
        # As released: Adam starts anew both when a block begins to fade in and when it is whole.
        return 2 * self.growth.level + (self.growth.alpha < 1.0)

    def generate(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` images at the size grown to, from latents on the sphere."""
        z = torch.randn(count, self.config.latent, generator=rng, device=rng.device)
        images: Tensor = self.generator(z)
        return images

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            fakes = self.generate(batch.size, rng)
        real, fake = self.discriminator(self.shrunk(batch.images)), self.discriminator(fakes)
        total = LOSSES[self.config.loss].discriminator(real, fake)
        if self.config.drift:
            total = total + self.config.drift * real.square().mean()
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        loss = LOSSES[self.config.loss]
        fake = self.discriminator(self.generate(batch.size, rng))
        real = self.discriminator(self.shrunk(batch.images)) if loss.pairs else fake
        return Losses(loss.generator(real, fake))

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        """Images enlarged to the full size while the generator is still smaller."""
        self.generator.growth = self.growth  # the moving average is a copy that the setter does not reach
        images = self.generate(count, rng)
        return F.interpolate(images, size=self.image_shape[1:], mode="nearest").clamp(-1, 1)

    def penalty_inputs(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        reals = self.shrunk(batch.images)
        with torch.no_grad():
            return reals, reals if self.optimisation.penalty == "r1" else self.generate(batch.size, rng)

    def shrunk(self, images: Tensor) -> Tensor:
        """Reals at the size grown to, blended with their halved and doubled selves while fading."""
        images = F.avg_pool2d(images, self.config.image_size // sizes(self.config)[self.growth.level])
        if self.growth.alpha < 1.0:
            images = torch.lerp(doubled(F.avg_pool2d(images, 2)), images, self.growth.alpha)
        return images

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"z": torch.randn(count, self.config.latent, generator=torch.Generator().manual_seed(0))}


def sizes(config: Config) -> list[int]:
    """The resolutions a model grows through, smallest first."""
    doublings = (config.image_size // config.first_size).bit_length()
    return [config.first_size * 2**n for n in range(doublings)]


def growth_at(images_seen: int, config: Config) -> Growth:
    """Stay at the first size; then fade in each doubling and stay there."""
    last = len(sizes(config)) - 1
    after = images_seen - config.stable_images
    if after < 0 or last == 0:
        return Growth(0, 1.0)
    level, within = divmod(after, config.fade_images + config.stable_images)
    if level >= last:
        return Growth(last, 1.0)
    return Growth(level + 1, within / config.fade_images if within < config.fade_images else 1.0)


def _features(config: Config, size: int) -> int:
    # nf(log2(size) - 1) of the released code.
    return max(1, min(config.feature_base * 2 // size, config.feature_max))
