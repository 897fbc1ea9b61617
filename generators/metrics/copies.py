"""The share of samples that are copies of training images, by the distance of pixels.

A sample counts as a copy when its nearest training image lies closer than that of all but one in a hundred
held-out reals. So reals that were never seen score 0.01, whatever the data set; a generator that memorises
scores 1. Distances are Euclidean over the pixels, which a shift of a pixel or two hides: the share is a
floor for what was copied.
"""

from __future__ import annotations

import torch
from torch import Tensor

CLOSER_THAN = 0.01  # quantile of the held-out reals' distances
_ROWS = 256  # of a distance matrix held at once: 256 x 60 000 floats are 61 MB


def copies(fakes: Tensor, held_out: Tensor, training: Tensor) -> float:
    """The share of `fakes` closer to `training` than reals are; images (N, C, H, W) of one range."""
    limit = torch.quantile(nearest(held_out, training), CLOSER_THAN)
    return float((nearest(fakes, training) < limit).float().mean())


def nearest(images: Tensor, training: Tensor) -> Tensor:
    """(N,) the distance of each of `images` (N, C, H, W) to the nearest of `training` (M, C, H, W)."""
    points = training.flatten(1)
    norms = points.square().sum(dim=1)
    wanted = images.flatten(1)
    found = []
    for start in range(0, len(wanted), _ROWS):
        rows = wanted[start : start + _ROWS]
        # |a - b|^2 = |a|^2 + |b|^2 - 2ab; the rounding of the product may take it below zero.
        squares = norms - 2 * rows @ points.T
        found.append((squares.amin(dim=1) + rows.square().sum(dim=1)).clamp_min(0).sqrt())
    return torch.cat(found)
