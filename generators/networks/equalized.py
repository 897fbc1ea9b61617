"""Layers of Progressive GAN: equalised learning rate, pixel norm, minibatch deviation (Karras et al. 2017).

1710.10196, sections 3 and 4. Weights are drawn from N(0, 1) and scaled at run time by gain / sqrt(fan-in),
so that Adam's step is the same share of every weight; at export the scale folds into the weight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# He's gain for ReLU-like activations; layers without one take gain 1.
HE = math.sqrt(2.0)


class EqualizedConv2d(nn.Module):
    """A convolution of odd `kernel` that keeps the size, with run-time weight scaling."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, gain: float = HE) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.padding = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualizedLinear(nn.Module):
    """A dense layer with run-time weight scaling."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = HE) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


class PixelNorm(nn.Module):
    """Every pixel's feature vector (axis 1) brought to unit mean square, in fp32."""

    def forward(self, x: Tensor) -> Tensor:
        power = x.float().square().mean(dim=1, keepdim=True)
        return x * torch.rsqrt(power + 1e-8).to(x.dtype)


class MinibatchDeviation(nn.Module):
    """Appends one map: how much the images of a group of four differ, so that a lack of variety shows."""

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        count, _, height, width = x.shape
        group = self.group if count % self.group == 0 else count
        split = x.float().reshape(group, -1, *x.shape[1:])  # (B, C, H, W) -> (group, B/group, C, H, W)
        # 1e-8 keeps the root differentiable, and the map finite, for a group of one.
        variance = (split - split.mean(dim=0)).square().mean(dim=0)
        spread = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
        layer = spread.repeat(group).reshape(count, 1, 1, 1).expand(count, 1, height, width)
        return torch.cat([x, layer.to(x.dtype)], dim=1)
