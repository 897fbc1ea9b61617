"""StyleGAN2's layers: a mapping network, and convolutions whose weights a style scales (1912.04958).

Karras et al. 2020, section 2.2. Scaling the weights of a convolution for each picture is the same as
scaling its input by the style and its output by the norm of the scaled weights; so written, one
convolution serves the whole batch, and the graph exports (a grouped one with weights for each picture
does not).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.networks.equalized import HE, EqualizedConv2d, EqualizedLinear, PixelNorm
from generators.networks.smooth import halved, smoothed


class MappingNetwork(nn.Module):
    """z (B, latent) -> w (B, style): z on the sphere, then dense layers that learn at `rate` of the pace."""

    def __init__(self, latent: int, style: int, layers: int, rate: float = 0.01) -> None:
        super().__init__()
        self.norm, self.rate = PixelNorm(), rate
        self.dense = nn.ModuleList(EqualizedLinear(latent if n == 0 else style, style) for n in range(layers))
        for layer in self.dense:
            nn.init.normal_(layer.get_parameter("weight"), std=1 / rate)

    def forward(self, z: Tensor) -> Tensor:
        w: Tensor = self.norm(z)
        for layer in self.dense:
            # The layer's weight and bias count at `rate`, so Adam's step is that share of them.
            w = F.leaky_relu(layer(w) * self.rate, 0.2)
        return w


class ModulatedConv2d(nn.Module):
    """x (B, C, H, W), w (B, style) -> (B, C', H, W), or (B, C', 2H, 2W) through a smoothed stride.

    With `up` the convolution is transposed with stride 2 and its output smoothed by [1, 3, 3, 1]. Without
    `demodulate` (toRGB) the outputs keep the scale the style gives them.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, style: int, *, up: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.up, self.demodulate, self.padding = up, demodulate, kernel // 2
        self.style = EqualizedLinear(style, inputs, gain=1.0)
        nn.init.ones_(self.style.bias)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1.0 / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.style(w).float()  # (B, C)
        weight = self.weight * self.scale
        x = x * style[:, :, None, None].to(x.dtype)
        if self.up:
            # Zeros were inserted between pixels; gain 4 makes up for them.
            x = 4 * smoothed(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2, padding=0))
        else:
            x = F.conv2d(x, weight, padding=self.padding)
        if self.demodulate:
            # Eq. 3: the sum over inputs and places of (style x weight)^2.
            power = style.square() @ weight.float().square().sum(dim=(2, 3)).T
            x = x * torch.rsqrt(power + 1e-8)[:, :, None, None].to(x.dtype)
        return x


class StyledLayer(nn.Module):
    """A modulated 3x3 convolution, noise of a learned strength (or none), bias, leaky ReLU."""

    def __init__(
        self, inputs: int, outputs: int, style: int, size: int, *, up: bool = False, noisy: bool = True
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style, up=up)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noisy = noisy
        if noisy:
            self.strength = nn.Parameter(torch.zeros(()))
            self.register_buffer("noise", torch.randn(size, size))
            self.noise: Tensor

    def forward(self, x: Tensor, w: Tensor, rng: torch.Generator | None) -> Tensor:
        """With `rng` the noise is fresh for each picture, else the layer's own."""
        x = self.conv(x, w) + self.bias.to(x.dtype)[:, None, None]
        if self.noisy:
            noise = self.noise
            if rng is not None:
                noise = torch.randn(x.shape[0], 1, *x.shape[2:], generator=rng, device=rng.device)
            x = x + (noise * self.strength).to(x.dtype)
        return F.leaky_relu(x, 0.2) * HE


class SmoothedDown(EqualizedConv2d):
    """x (B, C, H, W) -> (B, C', H/2, W/2): smoothed by [1, 3, 3, 1], then a 3x3 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(smoothed(x), self.weight * self.scale, self.bias, stride=2, padding=1)


class HalvingBlock(nn.Module):
    """x (B, C, H, W) -> (B, C', H/2, W/2): two convolutions, the second smoothed, beside a halved 1x1."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualizedConv2d(inputs, inputs, 3)
        self.second = SmoothedDown(inputs, outputs)
        self.shortcut = EqualizedConv2d(inputs, outputs, 1, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.second(F.leaky_relu(self.first(x), 0.2)), 0.2)
        out: Tensor = (y + self.shortcut(halved(x))) * math.sqrt(0.5)
        return out
