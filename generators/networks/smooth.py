"""Resampling by the filter [1, 3, 3, 1] / 8, as StyleGAN2 and R3GAN double and halve: (B, C, H, W).

The filter is three means of two neighbours, one after the other, so pooling computes it and a penalty can
be differentiated through it twice. Halving pads with zeros, as the released codes do; doubling by the
filter after zero-insertion is bilinear interpolation at half-pixel centres, here with replicated edges.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W)."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def halved(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H/2, W/2)."""
    return F.avg_pool2d(F.avg_pool2d(F.avg_pool2d(x, 2, 1, padding=1), 2, 1), 2, 2)


def smoothed(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H - 1, W - 1), with a ring of zeros around x before the filter."""
    return F.avg_pool2d(F.avg_pool2d(F.avg_pool2d(x, 2, 1, padding=1), 2, 1), 2, 1)
