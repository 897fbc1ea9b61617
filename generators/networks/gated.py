"""Gated convolutions and the spectrally normed critics that judge what they fill in.

Yu et al. 2019 (Free-Form Image Inpainting with Gated Convolution, 1806.03589), as released in
JiahuiYu/generative_inpainting; Boundless (Teterwak et al. 2019, 1908.07007) norms each layer besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

Activation = Callable[[Tensor], Tensor]

# E (elu(a) sigmoid(b))^2 = 0.189 for standard normal a and b; this gain lets unit variance pass through, so
# that sixteen layers without norm learn from the start.
GAIN = 0.189**-0.5


class GatedConv(nn.Module):
    """activation(a) * sigmoid(b) for the two halves a, b of one convolution (Eq. 3), then the norm, if any.

    The size is kept, halved by `stride` 2, or doubled first with `up` "nearest" or "bilinear".
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        up: str = "",
        normed: bool = False,
        activation: Activation = F.elu,
    ) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode=up) if up else nn.Identity()
        reach = dilation * (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, 2 * outputs, kernel, stride, reach, dilation)
        nn.init.normal_(self.conv.weight, 0.0, GAIN / math.sqrt(inputs * kernel**2))
        # On a flat picture a channel hardly varies, and a smaller eps would blow up what is rounding error.
        self.norm = nn.InstanceNorm2d(outputs, eps=1e-3) if normed else nn.Identity()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        features, gate = self.conv(self.up(x)).chunk(2, 1)  # (B, 2C, H, W) -> 2 x (B, C, H, W)
        gated: Tensor = self.norm(self.activation(features) * torch.sigmoid(gate))
        return gated


def halvings(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """(B, inputs, H, W) -> (B, widths[-1], h, w), each of `widths` at half the size of the one before.

    5x5 convolutions with spectral norm and leaky ReLU, the last one too, as released.
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, *widths)):
        layers += [spectral_norm(nn.Conv2d(before, after, 5, 2, 2)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers)


def composed(made: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """`made` where `mask` (B, 1, H, W) is 1 and `image`, untouched to the bit, where it is 0."""
    return torch.where(mask > 0.5, made.float(), image)


def hidden(image: Tensor, mask: Tensor) -> Tensor:
    """What a generator may see: `image` with 0, a middle grey, in the hole."""
    return image * (1 - mask)
