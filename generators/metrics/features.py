"""What images are compared by: a named extractor, its hash, and float64 features of quantised images.

No pretrained Inception network is at hand, so no score here is "the FID": each carries the extractor it
was taken with, as `FID@<hash>`. Random convolutions are a usable stand-in where no labels exist (Naeem et
al. 2020, 2002.09797, section 4.2, for density and coverage); labelled sets have a trained one
(`classifier.py`).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Features = NDArray[np.float64]  # (N, D)


class Extractor(Protocol):
    """Images (B, C, H, W) in [-1, 1] to features (B, D)."""

    name: str

    def features(self, images: Tensor) -> Tensor: ...

    def state_dict(self) -> dict[str, Tensor]: ...


class RandomConvolutions(nn.Module):
    """Four strided layers of random filters, fixed by `seed`; per layer the mean and deviation of each map.

    Inputs are resized to `size` by antialiased bilinear interpolation, part of the score's definition.
    """

    name = "random-convolutions"

    def __init__(
        self, channels: int = 3, *, size: int = 64, widths: tuple[int, ...] = (8, 16, 16, 24), seed: int = 0
    ) -> None:
        super().__init__()
        self.size = size
        rng = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList()
        for width in widths:
            layer = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
            nn.init.orthogonal_(layer.weight, generator=rng)
            self.layers.append(layer)
            channels = width
        self.requires_grad_(False).eval()

    def features(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 x the sum of widths)."""
        x = F.interpolate(images, size=(self.size, self.size), mode="bilinear", antialias=True)
        found = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            found += [x.mean(dim=(2, 3)), x.std(dim=(2, 3), correction=0)]
            x = x / x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
        return torch.cat(found, dim=1)


@torch.no_grad()
def features_of(extractor: Extractor, images: Tensor, *, batch: int = 128) -> Features:
    """Features of `images` (N, C, H, W) in [-1, 1], rounded to the 256 levels a file can hold."""
    parts = [extractor.features(quantised(images[at : at + batch])) for at in range(0, len(images), batch)]
    features: Features = torch.cat(parts).double().numpy()
    return features


def quantised(images: Tensor) -> Tensor:
    """Images rounded to uint8 levels and back: fakes must not be finer than the reals beside them."""
    levels = images.float().clamp(-1, 1).add(1).mul(127.5).round()
    return levels.div(127.5).sub(1)


def digest(extractor: Extractor) -> str:
    """The first 8 hex digits of the sha256 over the extractor's weights: scores agree only within one."""
    found = hashlib.sha256(extractor.name.encode())
    for name, value in sorted(extractor.state_dict().items()):
        found.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:8]
