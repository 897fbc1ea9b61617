"""Normalisations by name, as the reconstruction family and its tags have them."""

from __future__ import annotations

from torch import nn

from generators.networks.equalized import PixelNorm


def normalisation(name: str, width: int) -> nn.Module:
    """The layer called "batch", "instance" (affine), "pixel" or "none" for `width` channels."""
    if name == "batch":
        return nn.BatchNorm2d(width)
    if name == "instance":
        return nn.InstanceNorm2d(width, affine=True)
    return PixelNorm() if name == "pixel" else nn.Identity()
