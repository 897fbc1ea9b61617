"""The U-Net of pix2pix: an encoder down to one pixel, a decoder that sees each level of it again.

Isola et al. 2016 (1611.07004, section 6.1.1); layers as released. The released nets have batch norm on
the statistics of the batch of one, in training and at test alike, which is instance norm with gain and
shift; so it is written here, and the graph needs no batch.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from evidence.errors import UsageError
from generators.networks.patch import initialise

DROPPED = 3  # the first decoder levels have dropout, which is all the noise that pix2pix has


class UNet(nn.Module):
    """source (B, sources, S, S) -> images (B, C, S, S) in [-1, 1]; S is `size`, a power of two from 16."""

    def __init__(self, size: int, *, width: int, sources: int = 3, channels: int = 3) -> None:
        super().__init__()
        if size < 16 or size & (size - 1):
            raise UsageError(f"A U-Net of {size} pixels cannot be built.", "Take a power of two from 16.")
        widths = [width * min(2**n, 8) for n in range(size.bit_length() - 1)]
        down: list[nn.Module] = [nn.Conv2d(sources, widths[0], 4, 2, 1)]
        for inputs, outputs in pairwise(widths):
            last = len(down) == len(widths) - 1
            # At one pixel there is nothing to take a norm over.
            norm = nn.Identity() if last else nn.InstanceNorm2d(outputs, affine=True)
            conv = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=last)
            down.append(nn.Sequential(nn.LeakyReLU(0.2), conv, norm))
        self.down = nn.ModuleList(down)

        up: list[nn.Module] = []
        for inputs, outputs in pairwise(widths[::-1]):
            beside = 2 if up else 1  # every level but the first has the encoder's features beside its own
            conv_up = nn.ConvTranspose2d(inputs * beside, outputs, 4, 2, 1, bias=False)
            drop = nn.Dropout(0.5) if len(up) < DROPPED else nn.Identity()
            up.append(nn.Sequential(nn.ReLU(), conv_up, nn.InstanceNorm2d(outputs, affine=True), drop))
        up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(widths[0] * 2, channels, 4, 2, 1), nn.Tanh()))
        self.up = nn.ModuleList(up)
        self.apply(initialise)

    def forward(self, source: Tensor) -> Tensor:
        levels: list[Tensor] = []
        x = source
        for layer in self.down:
            x = layer(x)
            levels.append(x)
        levels.pop()
        for layer in self.up:
            x = layer(x)
            if levels:
                x = torch.cat((x, levels.pop()), 1)
        return x
