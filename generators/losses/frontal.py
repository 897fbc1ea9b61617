"""What a frontal face is held to besides its truth: symmetry and smoothness (Huang et al. 2017, 1704.04086).

As in HRLTY/TP-GAN distances are sums over pixels, and means over pictures and channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def summed(off: Tensor) -> Tensor:
    """|off| (B, C, H, W) summed over pixels."""
    return off.abs().float().sum((2, 3)).mean()


def distances(
    faces: Sequence[Tensor], truth: Tensor, exact: Tensor, weights: Sequence[float], *, blocks: int = 8
) -> Tensor:
    """Faces at several sizes against the truth (B, C, S, S), which is halved to fit; Eq. 6.

    Where the truth is not `exact` (B,), another photograph of the person, only the means of blocks x blocks
    squares count.
    """
    parts = []
    for face, weight in zip(faces, weights, strict=True):
        side = face.shape[-1]
        off = face.float() - F.avg_pool2d(truth, truth.shape[-1] // side)
        rough = F.interpolate(F.avg_pool2d(off, side // blocks), scale_factor=side / blocks)
        parts.append(weight * summed(torch.where(exact[:, None, None, None], off, rough)))
    return torch.stack(parts).sum()


def asymmetry(faces: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Right halves against left ones, which stay as they are; Eq. 7.

    The first and largest face is halved first, the others count with their edges beside their colours.
    """
    largest, *others = faces
    levels = [F.avg_pool2d(largest.float(), 2), *(_with_edges(face.float()) for face in others)]
    halves = [level.chunk(2, dim=-1) for level in levels]
    off = [summed(left.detach() - right.flip(-1)) for left, right in halves]
    return torch.stack([weight * part for weight, part in zip(weights, off, strict=True)]).sum()


def variation(faces: Tensor) -> Tensor:
    """Differences of neighbours, summed over a picture and its channels; Eq. 10."""
    down, across = faces.float().diff(dim=2).abs(), faces.float().diff(dim=3).abs()
    return (down.sum((1, 2, 3)) + across.sum((1, 2, 3))).mean()


def _with_edges(faces: Tensor) -> Tensor:
    kernel = torch.full((faces.shape[1], 1, 3, 3), -1.0, device=faces.device)
    kernel[:, :, 1, 1] = 8.0
    return torch.cat((faces, F.conv2d(faces, kernel, padding=1, groups=faces.shape[1])), 1)
