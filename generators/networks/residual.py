"""The residual networks of WGAN-GP and SN-GAN, and their class-conditional form.

Gulrajani et al. 2017 (1704.00028, appendix) drew them, Miyato et al. 2018 (1802.05957, tables 3 to 5) took
them over; labels enter as in Miyato and Koyama 2018 (1802.05637): batch norm with a gain and bias for each
class in the generator, a projection on the class's embedding in the discriminator. First weights are
Glorot's, with gain sqrt(2) in residual branches (pfnet-research/sngan_projection), which is He's where a
layer keeps its width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

Wrap = Callable[[nn.Module], nn.Module]


class ClassBatchNorm(nn.Module):
    """Batch norm with a gain and bias for each class; without classes, with one for all."""

    def __init__(self, channels: int, classes: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=classes == 0)
        if classes:
            self.gain, self.bias = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
            nn.init.ones_(self.gain.weight)
            nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        normed: Tensor = self.norm(x)
        if label is None:
            return normed
        gain, bias = (table(label).to(normed.dtype)[:, :, None, None] for table in (self.gain, self.bias))
        scaled: Tensor = normed * gain + bias
        return scaled


class UpBlock(nn.Module):
    """x (B, C, H, W) -> (B, C', 2H, 2W): two convolutions beside a 1x1, both after nearest doubling."""

    def __init__(self, inputs: int, outputs: int, classes: int = 0) -> None:
        super().__init__()
        self.before, self.between = ClassBatchNorm(inputs, classes), ClassBatchNorm(outputs, classes)
        self.first, self.second = _conv(inputs, outputs), _conv(outputs, outputs)
        self.shortcut = _pointwise(inputs, outputs)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        y = self.first(_double(F.relu(self.before(x, label))))
        y = self.second(F.relu(self.between(y, label)))
        # The 1x1 stands before the doubling, with which it commutes, to save cost.
        out: Tensor = y + _double(self.shortcut(x))
        return out


class DownBlock(nn.Module):
    """x (B, C, H, W) -> (B, C', H/2, W/2), or the same size: two convolutions beside a 1x1 or nothing.

    The `first` of a network has no ReLU before it and is as wide inside as it ends; others as they begin.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool, first: bool, wrap: Wrap) -> None:
        super().__init__()
        self.halve, self.starts = halve, first
        hidden = outputs if first else inputs
        self.first, self.second = wrap(_conv(inputs, hidden)), wrap(_conv(hidden, outputs))
        straight = inputs == outputs and not halve
        self.shortcut = nn.Identity() if straight else wrap(_pointwise(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(F.relu(self.first(x if self.starts else F.relu(x))))
        if self.halve:
            # Halved first, then mixed: the 1x1 commutes with the mean, and costs a quarter.
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        out: Tensor = y + self.shortcut(x)
        return out


class ResidualGenerator(nn.Module):
    """z (B, latent) and, with classes, label (B,) -> image (B, C, H, W) in [-1, 1]; nearest doubling.

    `widths` are the channels at each size from `bottom` pixels a side, which every block doubles.
    """

    def __init__(
        self, latent: int, widths: tuple[int, ...], *, bottom: int, channels: int, classes: int = 0
    ) -> None:
        super().__init__()
        self.bottom = bottom
        self.dense = _glorot(nn.Linear(latent, widths[0] * bottom**2))
        self.blocks = nn.ModuleList(UpBlock(inputs, outputs, classes) for inputs, outputs in pairwise(widths))
        self.norm = nn.BatchNorm2d(widths[-1])
        self.to_image = _glorot(nn.Conv2d(widths[-1], channels, 3, padding=1))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x = self.dense(z).reshape(z.shape[0], -1, self.bottom, self.bottom)  # (B, latent) -> (B, C, h, w)
        for block in self.blocks:
            x = block(x, label)
        return torch.tanh(self.to_image(F.relu(self.norm(x))).float())


class ResidualDiscriminator(nn.Module):
    """Image (B, C, H, W) and, with classes, label (B,) -> logit (B,); the first `halvings` blocks halve.

    `spectral` holds the largest singular value of every layer at one. Features are pooled over places as
    the paper at hand does: WGAN-GP takes their mean, SN-GAN their sum.
    """

    def __init__(
        self,
        channels: int,
        widths: tuple[int, ...],
        *,
        halvings: int,
        spectral: bool,
        pooling: Literal["mean", "sum"],
        classes: int = 0,
    ) -> None:
        super().__init__()
        wrap: Wrap = spectral_norm if spectral else lambda layer: layer
        self.pooling = pooling
        self.blocks = nn.Sequential(
            *(
                DownBlock(inputs, outputs, halve=n < halvings, first=n == 0, wrap=wrap)
                for n, (inputs, outputs) in enumerate(pairwise((channels, *widths)))
            )
        )
        self.head = wrap(_glorot(nn.Linear(widths[-1], 1)))
        self.classes = wrap(_glorot(nn.Embedding(classes, widths[-1]))) if classes else None

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        x = F.relu(self.blocks(images)).float()
        pooled = x.mean(dim=(2, 3)) if self.pooling == "mean" else x.sum(dim=(2, 3))  # -> (B, C)
        logits: Tensor = self.head(pooled).squeeze(1).float()  # (B, 1) -> (B,)
        if self.classes is None:
            return logits
        on_class: Tensor = (self.classes(label) * pooled).sum(dim=1)
        return logits + on_class  # Eq. 3


def _conv(inputs: int, outputs: int) -> nn.Module:
    return _glorot(nn.Conv2d(inputs, outputs, 3, padding=1), gain=math.sqrt(2.0))


def _pointwise(inputs: int, outputs: int) -> nn.Module:
    return _glorot(nn.Conv2d(inputs, outputs, 1))


def _glorot(layer: nn.Linear | nn.Conv2d | nn.Embedding, gain: float = 1.0) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight, gain)
    if not isinstance(layer, nn.Embedding) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
