"""LSGAN: a discriminator that regresses 1 for reals and 0 for fakes (Mao et al. 2017, 1611.04076).

`published` follows the paper's network for scenes at 112 px as released (xudonmao/LSGAN, `vgg.py`): 3x3
transposed convolutions that double, or keep, the size, latents of 1024 numbers uniform in [-1, 1]. The
released loss sums over the batch where Eq. 9 takes the mean; Adam does not see the difference, we take the
mean. `shipped` is the same network narrower at 48 px: a CPU sees enough faces in minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from generators.contract import Optimisation, Preset
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """The generator starts at a sixteenth of `image_size` with 4 x `width` channels."""

    image_size: int = 112  # a multiple of 16
    channels: int = 3
    latent: int = 1024
    latent_law: Literal["normal", "uniform"] = "uniform"
    width: int = 64
    discriminator_norm: bool = True


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=64,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            ema_half_life_images=0.0,
            total_images=64_000_000,  # 1 000 000 steps
        ),
        data="faces-celeba",
        budget_minutes=1_200.0,
    ),
    "shipped": Preset(
        config=Config(image_size=48, latent=128, width=24, discriminator_norm=False),
        # As DCGAN's shipped preset, whose comments say why: R1 in place of the critic's batch norm, a
        # faster Adam without momentum, few reals made more by augmentation.
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
            total_images=300_000,
        ),
        data="faces-celeba",
        budget_minutes=20.0,
        floors=LIKENESS,
    ),
    "smoke": Preset(
        config=Config(image_size=32, latent=8, width=4),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """z (B, latent) -> image (B, C, H, W) in [-1, 1]: pairs of 3x3 transposed convolutions."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.bottom = config.image_size // 16
        wide, width = 4 * config.width, config.width
        self.project = nn.Linear(config.latent, wide * self.bottom**2)
        layers: list[nn.Module] = [nn.BatchNorm2d(wide), nn.ReLU()]
        strides = ((wide, wide, 2), (wide, wide, 1), (wide, wide, 2), (wide, wide, 1))
        for inputs, outputs, stride in (*strides, (wide, 2 * width, 2), (2 * width, width, 2)):
            layers += [_transposed(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _transposed(width, config.channels, 1), nn.Tanh())
        self.apply(_initialise)

    def forward(self, z: Tensor) -> Tensor:
        square = self.project(z).reshape(z.shape[0], -1, self.bottom, self.bottom)
        images: Tensor = self.layers(square)
        return images


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> regression (B,): four 5x5 convolutions of stride 2 and a dense layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = config.channels
        for n, width in enumerate(config.width * 2**n for n in range(4)):
            layers.append(nn.Conv2d(inputs, width, 5, stride=2, padding=2))
            if config.discriminator_norm and n > 0:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2))
            inputs = width
        places = (config.image_size // 16) ** 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * places, 1))
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self.layers(images)
        return found.squeeze(1).float()  # (B, 1) -> (B,)


class Lsgan(NoiseModel):
    """Least squares on the network that the paper drew for it."""

    name = "lsgan"
    paper = "Mao et al. 2017, Least Squares Generative Adversarial Networks, arXiv 1611.04076"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k3s2",
        "normalisation": "batch",
        "loss": "lsgan",
    }

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))


def _transposed(inputs: int, outputs: int, stride: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride, padding=1, output_padding=stride - 1)


def _initialise(module: nn.Module) -> None:
    # As released: N(0, 0.02) and biases at zero; batch norm's gain stays at one.
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
