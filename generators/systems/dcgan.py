"""DCGAN: strided and transposed convolutions with batch norm (Radford et al. 2015, 1511.06434).

`published` follows the paper (5x5 kernels, latents uniform in [-1, 1], 1024 channels at 4x4, batch 128), not
the released code (soumith/dcgan.torch: 4x4 kernels, normal latents, 512 channels, batch 64). `shipped` is
the released shape at a width that fits a small budget, with what later work found to help: no batch norm
in the discriminator, R1 now and then, DiffAugment and samples from a moving average.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

from torch import Tensor, nn

from generators.contract import Optimisation, Preset
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """`width` channels stand at half resolution and double at each halving down to 4x4."""

    image_size: int = 64  # a power of two from 16
    channels: int = 3
    latent: int = 100
    latent_law: Literal["normal", "uniform"] = "normal"
    width: int = 64
    kernel: Literal[4, 5] = 4
    discriminator_norm: bool = True
    loss: Literal["bce", "lsgan", "hinge", "relativistic", "wasserstein"] = "bce"


PRESETS = {
    "published": Preset(
        config=Config(width=128, kernel=5, latent_law="uniform"),
        optimisation=Optimisation(batch=128, ema_half_life_images=0.0, total_images=5_000_000),
        data="faces-celeba",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        config=Config(width=32, discriminator_norm=False),
        # Tried for 8 000 images, FID and coverage on random convolutions: Adam (0.5, 0.999) at 2e-4 gives
        # 1.60 and 0.15, at 4e-4 1.92 and 0.14; (0, 0.9) at 5e-4 gives 0.76 and 0.32.
        optimisation=Optimisation(
            batch=32,
            generator_lr=5e-4,
            discriminator_lr=5e-4,
            betas=(0.0, 0.9),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=8,
            augment="color,translation",
            precision="bf16",
            total_images=1_000_000,
        ),
        data="faces-celeba",
        budget_minutes=15.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(image_size=32, latent=8, width=4, discriminator_norm=False),
        optimisation=Optimisation(
            batch=4,
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=2,
            augment="color,translation,cutout",
            ema_half_life_images=32.0,
            total_images=32,
        ),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """z (B, latent) -> image (B, C, H, W) in [-1, 1]: dense to 4x4, then transposed convolutions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = _widths(config)[::-1]
        self.project = nn.Linear(config.latent, widths[0] * 16, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for inputs, outputs in pairwise(widths):
            layers += [_up(inputs, outputs, config.kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(
            *layers, _up(widths[-1], config.channels, config.kernel, bias=True), nn.Tanh()
        )
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        square = self.project(z).reshape(z.shape[0], -1, 4, 4)  # (B, latent) -> (B, C, 4, 4)
        images: Tensor = self.layers(square)
        return images


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> logit (B,): strided convolutions down to 4x4, no norm on the first."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = config.channels
        for n, width in enumerate(_widths(config)):
            normed = config.discriminator_norm and n > 0
            layers.append(
                nn.Conv2d(inputs, width, config.kernel, 2, (config.kernel - 1) // 2, bias=not normed)
            )
            if normed:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2))
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, 1, 4))
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits.flatten().float()  # (B, 1, 1, 1) -> (B,)


class Dcgan(NoiseModel):
    """Transposed convolutions on noise; the loss is the config's."""

    name = "dcgan"
    paper = "Radford et al. 2015, Unsupervised Representation Learning with DCGANs, arXiv 1511.06434"
    tags: ClassVar[dict[str, str]] = {"upsampler": "transposed", "normalisation": "batch"}

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))

    def fingerprint(self) -> dict[str, str]:
        own = {"upsampler": f"transposed-k{self.config.kernel}s2", "loss": self.config.loss}
        return self.tags | own


def _widths(config: Config) -> list[int]:
    # Channels after each halving: 64 px at width 64 gives 64, 128, 256, 512 at 32, 16, 8, 4.
    return [config.width * 2**n for n in range(config.image_size.bit_length() - 3)]


def _up(inputs: int, outputs: int, kernel: int, *, bias: bool) -> nn.ConvTranspose2d:
    # Both kernels double the side exactly: (H-1)*2 - 2p + k + output_padding = 2H.
    padding = (kernel - 1) // 2
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, output_padding=kernel % 2, bias=bias)


def _initialise(module: nn.Module) -> None:
    # N(0, 0.02) everywhere, as the paper; batch norm's gain about 1.
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
