"""R3GAN's residual blocks without normalisation, and the layers between images, 4x4 maps and vectors.

Huang et al. 2024 (2501.05441), section 3 and the released networks: a 1x1 convolution widens, a grouped
3x3 mixes in groups, a 1x1 that starts at zero narrows (ResNeXt and Fix-up). No convolution has a bias;
the activations have. First weights are normal with variance gain^2 / fan-in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))


class BiasedActivation(nn.Module):
    """Leaky ReLU after a bias for each channel of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.bias.to(x.dtype)[:, None, None], SLOPE)


class ResidualBlock(nn.Module):
    """x (B, C, H, W) -> x + f(x); `blocks` is how many the whole network has, which tempers the start."""

    def __init__(self, channels: int, *, expansion: int, group_width: int, blocks: int) -> None:
        super().__init__()
        wide = channels * expansion
        # Fix-up for a branch of three layers: each gain times blocks^(-1 / (2 * 3 - 2)), the last one zero.
        gain = GAIN * blocks**-0.25
        self.layers = nn.Sequential(
            convolution(channels, wide, 1, gain=gain),
            BiasedActivation(wide),
            convolution(wide, wide, 3, gain=gain, groups=wide // group_width),
            BiasedActivation(wide),
            convolution(wide, channels, 1, gain=0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class FromLatent(nn.Module):
    """z (B, latent) -> (B, C, 4, 4): a learned map for each channel, scaled by what z says."""

    def __init__(self, latent: int, channels: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, 4, 4))
        self.scales = started(nn.Linear(latent, channels, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        scales: Tensor = self.scales(z)
        return self.maps * scales[:, :, None, None]


class ToLogit(nn.Module):
    """(B, C, 4, 4) -> logit (B,): a learned weighing of each channel's places, then of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, 4, 4) / 4)  # fan-in 16
        self.scales = started(nn.Linear(channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        # A depthwise 4x4 convolution without padding is this sum; written out, it differentiates twice fast.
        logits: Tensor = self.scales((x * self.maps).sum(dim=(2, 3)))
        return logits.squeeze(1).float()  # (B, 1) -> (B,)


def convolution(inputs: int, outputs: int, kernel: int, *, gain: float = 1.0, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size, with its first weights drawn."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    started(layer, gain)
    return layer


def started(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """The layer with weights from N(0, gain^2 / fan-in)."""
    nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.weight[0].numel()))
    return layer
