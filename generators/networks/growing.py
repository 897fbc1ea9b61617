"""Progressive GAN's players, which grow: a block for each size, the newest fading in (Karras et al. 2017).

1710.10196, section 2 and table 2. All blocks exist from the start; `growth`, set from outside, says which
are in use.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.networks.equalized import (
    HE,
    EqualizedConv2d,
    EqualizedLinear,
    MinibatchDeviation,
    PixelNorm,
)


@dataclass(frozen=True)
class Growth:
    """Where growing stands: the newest block in use and how far it has faded in, 0 to 1."""

    level: int
    alpha: float


class Generator(nn.Module):
    """z (B, latent) -> image (B, C, S, S), S the size grown to; pixel norm everywhere, linear output.

    `widths` are the channels at each size from `first_size` on.
    """

    def __init__(self, latent: int, widths: tuple[int, ...], *, first_size: int, channels: int) -> None:
        super().__init__()
        self.growth = Growth(len(widths) - 1, 1.0)
        self.first_size = first_size
        # Gain sqrt(2)/4 as released: the dense layer's fan-in is that of one pixel, not of sixteen.
        self.dense = EqualizedLinear(latent, widths[0] * first_size**2, gain=HE / 4)
        self.normalise = PixelNorm()
        self.blocks = nn.ModuleList()
        self.to_rgb = nn.ModuleList()
        for n, width in enumerate(widths):
            convolutions = [EqualizedConv2d(width, width, 3)]
            if n > 0:
                convolutions.insert(0, EqualizedConv2d(widths[n - 1], width, 3))
            self.blocks.append(nn.Sequential(*(_activated(c, PixelNorm()) for c in convolutions)))
            self.to_rgb.append(EqualizedConv2d(width, channels, 1, gain=1.0))

    def forward(self, z: Tensor) -> Tensor:
        level, alpha = self.growth.level, self.growth.alpha
        square = self.dense(self.normalise(z)).reshape(z.shape[0], -1, self.first_size, self.first_size)
        x = self.normalise(F.leaky_relu(square, 0.2))
        x = before = self.blocks[0](x)
        for block in list(self.blocks)[1 : level + 1]:
            before = x
            x = block(doubled(x))
        images: Tensor = self.to_rgb[level](x)
        if alpha < 1.0:
            images = torch.lerp(doubled(self.to_rgb[level - 1](before)).float(), images.float(), alpha)
        return images.float()


class Discriminator(nn.Module):
    """Image (B, C, S, S), S the size grown to -> logit (B,): the generator's mirror without norms."""

    def __init__(self, widths: tuple[int, ...], *, first_size: int, channels: int) -> None:
        super().__init__()
        self.growth = Growth(len(widths) - 1, 1.0)
        self.from_rgb = nn.ModuleList()
        self.blocks = nn.ModuleList()
        for n, width in enumerate(widths):
            self.from_rgb.append(_activated(EqualizedConv2d(channels, width, 1)))
            if n > 0:
                self.blocks.append(
                    nn.Sequential(
                        _activated(EqualizedConv2d(width, width, 3)),
                        _activated(EqualizedConv2d(width, widths[n - 1], 3)),
                        nn.AvgPool2d(2),
                    )
                )
        first = widths[0]
        self.head = nn.Sequential(
            MinibatchDeviation(),
            _activated(EqualizedConv2d(first + 1, first, 3)),
            nn.Flatten(),
            _activated(EqualizedLinear(first * first_size**2, first)),
            EqualizedLinear(first, 1, gain=1.0),
        )

    def forward(self, images: Tensor) -> Tensor:
        level, alpha = self.growth.level, self.growth.alpha
        x = self.from_rgb[level](images)
        for n in range(level, 0, -1):
            x = self.blocks[n - 1](x)
            if n == level and alpha < 1.0:
                older = self.from_rgb[level - 1](F.avg_pool2d(images, 2))
                x = torch.lerp(older.float(), x.float(), alpha)
        logits: Tensor = self.head(x)
        return logits.squeeze(1).float()  # (B, 1) -> (B,)


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), each pixel four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _activated(layer: nn.Module, *after: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.LeakyReLU(0.2), *after)
