"""R3GAN: a relativistic pairing loss with R1 and R2, residual nets without norms (Huang et al. 2024).

2501.05441, "The GAN is dead; long live the GAN!". `published` is the released FFHQ-64 configuration
(brownvc/R3GAN, train.py): all schedules are cosines over 20 million images. Two things differ there: the
released code ramps ADA's augmentation to a probability of 0.3, here DiffAugment is always on; and its
moving average lengthens in a cosine, ours with the images seen (`training/ema.py`). Released training has
no end; ours ends with the schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from generators.contract import Floor, Optimisation, Preset
from generators.networks.resblocks import FromLatent, ResidualBlock, ToLogit, convolution
from generators.networks.smooth import doubled, halved
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """`widths` are the channels from 4x4 up, one for each size; they decide the size of the images."""

    channels: int = 3
    latent: int = 64
    widths: tuple[int, ...] = (768, 768, 768, 768, 384)
    blocks: int = 2  # at each size
    expansion: int = 2  # of the widths inside a block
    group_width: int = 16  # channels a grouped 3x3 convolution mixes

    @property
    def image_size(self) -> int:
        return 4 << (len(self.widths) - 1)


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=256,
            generator_lr=2e-4,
            discriminator_lr=2e-4,
            betas=(0.0, 0.9),
            penalty="r1r2",
            penalty_weight=2.0,
            ema_half_life_images=500_000.0,
            augment="color,translation,cutout",
            total_images=20_000_000,
            anneal_images=20_000_000,
            final_lr=5e-5,
            final_beta2=0.99,
            final_penalty_weight=0.2,
        ),
        data="faces-celeba",
        budget_minutes=10_000.0,
    ),
    "shipped": Preset(
        # At 32 px, with the penalties at every fourth step, one core sees 70 images a second.
        config=Config(widths=(128, 128, 64, 32), blocks=1, group_width=32),
        optimisation=Optimisation(
            batch=32,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            betas=(0.0, 0.9),
            penalty="r1r2",
            penalty_weight=1.0,
            penalty_interval=4,
            augment="color,translation",
            precision="bf16",
            total_images=1_000_000,
            anneal_images=80_000,
            final_lr=2e-4,
            final_beta2=0.99,
            final_penalty_weight=0.2,
        ),
        data="faces-celeba",
        budget_minutes=20.0,
        # Formless colours, all there is after 600 images, come to 0.2 or 0.3.
        floors=(*LIKENESS[:2], Floor("fid_ratio", most=0.1)),
    ),
    "smoke": Preset(
        config=Config(latent=8, widths=(8, 8, 4), blocks=1, group_width=8),
        optimisation=Optimisation(
            batch=4,
            betas=(0.0, 0.9),
            penalty="r1r2",
            penalty_weight=1.0,
            augment="color,translation,cutout",
            ema_half_life_images=32.0,
            total_images=32,
            anneal_images=32,
            final_lr=5e-5,
            final_beta2=0.99,
            final_penalty_weight=0.1,
        ),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """z (B, latent) -> image (B, C, H, W): blocks at each size, smooth doubling between, linear output.

    Outside training, images are held within [-1, 1].
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.widths
        self.stem = FromLatent(config.latent, widths[0])
        self.blocks = nn.ModuleList(_blocks(width, config) for width in widths)
        self.changes = nn.ModuleList(_change(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.to_image = convolution(widths[-1], config.channels, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.blocks[0](self.stem(z))
        for change, blocks in zip(self.changes, self.blocks[1:], strict=True):
            x = blocks(doubled(change(x)))
        images: Tensor = self.to_image(x)
        images = images.float()
        return images if self.training else images.clamp(-1, 1)


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> logit (B,): the generator's mirror."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = config.widths[::-1]
        self.from_image = convolution(config.channels, widths[0], 1)
        self.blocks = nn.ModuleList(_blocks(width, config) for width in widths)
        self.changes = nn.ModuleList(_change(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.head = ToLogit(widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks[0](self.from_image(images))
        for change, blocks in zip(self.changes, self.blocks[1:], strict=True):
            x = blocks(change(halved(x)))
        logits: Tensor = self.head(x)
        return logits


class R3Gan(NoiseModel):
    """Each fake is judged against a real; the penalties hold on both, at every step."""

    name = "r3gan"
    paper = "Huang et al. 2024, The GAN is dead; long live the GAN!, arXiv 2501.05441"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "bilinear",
        "normalisation": "none",
        "loss": "relativistic",
    }

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))


def _blocks(width: int, config: Config) -> nn.Sequential:
    total = config.blocks * len(config.widths)
    return nn.Sequential(
        *(
            ResidualBlock(width, expansion=config.expansion, group_width=config.group_width, blocks=total)
            for _ in range(config.blocks)
        )
    )


def _change(inputs: int, outputs: int) -> nn.Module:
    return convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
