"""What training hides from the detector, the same on both sides of a pair, so that no trace is enough.

Random patches of the residuals are dropped (SAFE, Li et al. 2024, arXiv 2408.06741), and random
frequencies of the pixels (Doloriel and Cheung 2024, arXiv 2401.06506).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 16  # pixels


def kept_patches(shape: tuple[int, int, int], share: float, rng: torch.Generator) -> Tensor:
    """1 or 0 for each patch of 16 x 16 px of `shape` (2P, H, W): (2P, 1, H / 16, W / 16), rounded up."""
    count, height, width = shape
    coarse = torch.rand(count // 2, 1, -(-height // PATCH), -(-width // PATCH), generator=rng)
    return (coarse >= share).float().repeat(2, 1, 1, 1)


def without_patches(residuals: Tensor, kept: Tensor, stride: int) -> Tensor:
    """Residuals (2P, C, H / stride, W / stride) with the patches that `kept` drops at zero: nothing said."""
    fine = F.interpolate(kept.to(residuals), scale_factor=PATCH // stride, mode="nearest")
    masked: Tensor = residuals * fine[:, :, : residuals.shape[2], : residuals.shape[3]]
    return masked


def without_frequencies(pixels: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """Pixels uint8 (2P, H, W, 3) without `share` of their frequencies, the same in each pair."""
    count, height, width, _ = pixels.shape
    spectrum = torch.fft.rfft2(pixels.float(), dim=(1, 2))
    kept = torch.rand(count // 2, height, width // 2 + 1, 1, generator=rng) >= share
    kept[:, 0, 0] = True
    spectrum = spectrum * kept.to(pixels.device).repeat(2, 1, 1, 1)
    back = torch.fft.irfft2(spectrum, s=(height, width), dim=(1, 2))
    masked: Tensor = back.round().clamp(0, 255).to(torch.uint8)
    return masked
