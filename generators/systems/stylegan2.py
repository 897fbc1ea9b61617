"""StyleGAN2: a mapping network, scaled modulation, skip outputs (Karras et al. 2019, 2020; 1912.04958).

`published` is configuration F of the released code (NVlabs/stylegan2), whose 1024 px pictures are had by
`--set image_size=1024`. Where its two players have decays of their own for lazy penalties, both have the
discriminator's here. Path lengths are penalised on half a batch and styles mixed once for a batch, as in
the authors' later code (stylegan2-ada-pytorch). Training noise is fresh; samples, like the exported graph,
use the noise kept in each layer, so that z and the truncation alone decide a picture.

`shipped` follows that later code's configuration for small pictures: neither style mixing nor path lengths,
a shorter mapping; narrower. It has no noise, since after 38 000 images with it faces were smooth shapes under
specks, and as a short run sees each face ten times, no augmentation, small batches and a weaker R1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from generators.contract import Batch, Floor, Input, Losses, Optimisation, Preset
from generators.losses.penalties import path_lengths
from generators.networks.equalized import EqualizedConv2d, EqualizedLinear, MinibatchDeviation
from generators.networks.modulated import HalvingBlock, MappingNetwork, ModulatedConv2d, StyledLayer
from generators.networks.smooth import doubled
from generators.noise import LIKENESS, NoiseModel


@dataclass(frozen=True)
class Config:
    """Channels at a size are 2 x `feature_base` / size, at most `feature_max`."""

    image_size: int = 64  # a power of two from 8
    channels: int = 3
    latent: int = 512
    style: int = 512
    mapping_layers: int = 8
    feature_base: int = 16384
    feature_max: int = 512
    noise: bool = True
    mixing: float = 0.9  # how often a batch takes its finer layers' styles from other latents
    path_weight: float = 2.0
    path_interval: int = 4  # steps


PRESETS = {
    "published": Preset(
        config=Config(),
        optimisation=Optimisation(
            batch=32,
            # 2e-3, (0, 0.99) to the power of interval / (interval + 1): steps that lazy penalties take too.
            generator_lr=2e-3 * 4 / 5,
            discriminator_lr=2e-3 * 16 / 17,
            betas=(0.0, 0.99 ** (16 / 17)),
            penalty="r1",
            penalty_weight=10.0,
            penalty_interval=16,
            ema_half_life_images=10_000.0,
            total_images=25_000_000,
        ),
        data="faces-celeba",
        budget_minutes=10_000.0,
    ),
    "shipped": Preset(
        config=Config(
            latent=128,
            style=128,
            mapping_layers=4,
            feature_base=512,
            feature_max=128,
            noise=False,
            mixing=0.0,
            path_weight=0.0,
        ),
        optimisation=Optimisation(
            batch=16,
            generator_lr=2.5e-3,
            discriminator_lr=2.5e-3,
            betas=(0.0, 0.99),
            penalty="r1",
            penalty_weight=0.2,
            penalty_interval=8,
            precision="bf16",
            total_images=1_000_000,
        ),
        data="faces-celeba",
        budget_minutes=20.0,
        # Formless colours, all there is after 600 images, come to 0.2 or 0.3.
        floors=(*LIKENESS[:2], Floor("fid_ratio", most=0.1)),
    ),
    "smoke": Preset(
        config=Config(image_size=16, latent=8, style=8, mapping_layers=2, feature_base=64, feature_max=8),
        optimisation=Optimisation(
            batch=4,
            betas=(0.0, 0.99),
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
    """z (B, latent), truncation (B,) -> image (B, C, H, W): each size adds its pixels to the doubled image.

    A truncation of 0 gives the mean picture for every z, 1 leaves the styles as they are. Outside
    training, images are held within [-1, 1].
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        style, image = config.style, config.channels
        self.mapping = MappingNetwork(config.latent, style, config.mapping_layers)
        self.register_buffer("w_mean", torch.zeros(style))
        self.w_mean: Tensor
        widths = [_features(config, size) for size in sizes(config)]
        self.start = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.layers = nn.ModuleList([StyledLayer(widths[0], widths[0], style, 4, noisy=config.noise)])
        self.to_image = nn.ModuleList([_to_image(widths[0], image, style)])
        for size, (inputs, outputs) in zip(sizes(config)[1:], pairwise(widths), strict=True):
            self.layers.append(StyledLayer(inputs, outputs, style, size, up=True, noisy=config.noise))
            self.layers.append(StyledLayer(outputs, outputs, style, size, noisy=config.noise))
            self.to_image.append(_to_image(outputs, image, style))
        self.biases = nn.Parameter(torch.zeros(len(widths), image))
        self.inputs = len(self.layers) + 1  # styles a picture takes: a toRGB shares the next layer's

    def forward(self, z: Tensor, truncation: Tensor) -> Tensor:
        w = self.w_mean + truncation[:, None] * (self.mapping(z).float() - self.w_mean)
        return self.drawn(w[:, None].expand(-1, self.inputs, -1))

    def drawn(self, w: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Images of styles w (B, inputs, style), with fresh noise from `rng` or the layers' own."""
        x = self.layers[0](self.start[None].expand(w.shape[0], -1, -1, -1), w[:, 0], rng)
        image: Tensor = self.to_image[0](x, w[:, 1]) + self.biases[0][:, None, None]
        for n in range(1, len(self.to_image)):
            x = self.layers[2 * n - 1](x, w[:, 2 * n - 1], rng)
            x = self.layers[2 * n](x, w[:, 2 * n], rng)
            added = self.to_image[n](x, w[:, 2 * n + 1]) + self.biases[n][:, None, None]
            image = doubled(image) + added
        image = image.float()
        return image if self.training else image.clamp(-1, 1)


class Discriminator(nn.Module):
    """Image (B, C, H, W) -> logit (B,): residual blocks that halve, then the deviation within the batch."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [_features(config, size) for size in sizes(config)[::-1]]
        self.from_image = nn.Sequential(EqualizedConv2d(config.channels, widths[0], 1), nn.LeakyReLU(0.2))
        self.blocks = nn.Sequential(*(HalvingBlock(inputs, outputs) for inputs, outputs in pairwise(widths)))
        last = widths[-1]
        self.head = nn.Sequential(
            MinibatchDeviation(),
            EqualizedConv2d(last + 1, last, 3),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            EqualizedLinear(last * 16, last),
            nn.LeakyReLU(0.2),
            EqualizedLinear(last, 1, gain=1.0),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.from_image(images)))
        return logits.squeeze(1).float()  # (B, 1) -> (B,)


class StyleGan2(NoiseModel):
    """Styles decide each layer's scales; the mean style stands by for truncation."""

    name = "stylegan2"
    paper = "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv 1912.04958"
    tags: ClassVar[dict[str, str]] = {"upsampler": "fir", "normalisation": "demodulation", "loss": "bce"}

    config: Config
    generator: Generator
    discriminator: Discriminator

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__(config, optimisation, Generator(config), Discriminator(config))
        self.register_buffer("path_mean", torch.zeros(()))
        self.path_mean: Tensor

    def generate(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` images as training sees them: styles mixed, noise fresh."""
        return self.generator.drawn(self.styles(count, rng), rng)

    def styles(self, count: int, rng: torch.Generator) -> Tensor:
        """w (count, inputs, style); with the config's chance, from some layer on those of other latents."""
        generator = self.generator
        w = generator.mapping(self.latents(count, rng)).float()
        if torch.is_grad_enabled():
            with torch.no_grad():
                generator.w_mean.lerp_(w.mean(dim=0), 0.005)
        styles: Tensor = w[:, None].expand(-1, generator.inputs, -1)
        if self.config.mixing and torch.rand((), generator=rng, device=rng.device) < self.config.mixing:
            others = generator.mapping(self.latents(count, rng)).float()[:, None].expand_as(styles)
            crossing = int(torch.randint(1, generator.inputs, (), generator=rng, device=rng.device))
            return torch.cat([styles[:, :crossing], others[:, crossing:]], dim=1)
        return styles

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        losses = super().generator_loss(batch, rng)
        step = self.images_seen // self.optimisation.batch
        if not self.config.path_weight or step % self.config.path_interval:
            return losses
        path = self.path_loss(max(batch.size // 2, 1), rng)
        weight = self.config.path_weight * self.config.path_interval
        return Losses(losses.total + weight * path, {"path": path})

    def path_loss(self, count: int, rng: torch.Generator) -> Tensor:
        """E (length - a)^2 over `count` pictures, a the running mean of lengths (Eq. 4)."""
        with torch.autocast(rng.device.type, enabled=False):
            w = self.styles(count, rng)
            lengths = path_lengths(self.generator.drawn(w, rng), w, rng)
        with torch.no_grad():
            self.path_mean.lerp_(lengths.mean(), 0.01)
        return (lengths - self.path_mean).square().mean()

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        z = self.latents(count, rng)
        images: Tensor = self.generator(z, torch.ones(count, device=z.device))
        return images

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return super().export_inputs(count) | {"truncation": torch.linspace(0.5, 1.0, count)}

    def inputs(self) -> dict[str, Input]:
        return {"z": Input("latent"), "truncation": Input("truncation")}


def sizes(config: Config) -> list[int]:
    """The resolutions a picture is made at, from 4 up."""
    return [2**n for n in range(2, config.image_size.bit_length())]


def _features(config: Config, size: int) -> int:
    return max(1, min(config.feature_base * 2 // size, config.feature_max))


def _to_image(inputs: int, channels: int, style: int) -> ModulatedConv2d:
    return ModulatedConv2d(inputs, channels, 1, style, demodulate=False)
