"""Membrane compositing: what is made in a hole meets the known pixels around it without a seam.

The error on the known pixels that touch the hole is spread into the hole as a smooth membrane and added to
what was made: Poisson image editing (Perez et al. 2003) in its form of Farbman et al. 2009. The membrane is
computed by pull and push (Gortler et al. 1996, The Lumigraph, section 3.4): means over the known go down a
pyramid, then up again, and at each level a few sweeps of averaging smooth what is not known. It reaches
`REACH` pixels into a hole, and 0 is added beyond, so that what is made never depends on pixels far away.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from generators.networks.smooth import doubled

LEVELS = 4  # halvings, so height and width come in sixteens
SWEEPS = 3  # of averaging at each level
SPREADS = 6  # sweeps at the smallest level, each of which reaches one cell farther
REACH = SPREADS * 2**LEVELS


def harmonised(made: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """`made` (B, C, H, W) and, in the hole of `mask` (B, 1, H, W), the membrane of its error around it."""
    made = made.float()
    rim = widened(mask, 1) - mask
    return made + mask * membrane(image - made, rim)


def membrane(values: Tensor, known: Tensor) -> Tensor:
    """`values` (B, C, H, W) where `known` (B, 1, H, W) is 1; elsewhere what lies smoothly between them."""
    values = values * known
    pyramid = [(values, known)]
    for _ in range(LEVELS):
        values, share = F.avg_pool2d(values * known, 2), F.avg_pool2d(known, 2)
        known = (share > 0).to(share.dtype)
        values = values / torch.where(share > 0, share, 1)
        pyramid.append((values, known))

    spread, reached = pyramid[-1]
    for _ in range(SPREADS):
        weight = _around(reached)
        near = _around(spread * reached) / torch.where(weight > 0, weight, 1)
        spread = torch.where(known > 0.5, values, near)
        reached = (weight > 0).to(weight.dtype)

    for values, known in pyramid[-2::-1]:
        spread = torch.where(known > 0.5, values, doubled(spread))
        for _ in range(SWEEPS):
            spread = torch.where(known > 0.5, values, _around(spread))
    return spread


def widened(mask: Tensor, by: int) -> Tensor:
    """`mask` (B, 1, H, W) with a band of `by` pixels around each hole."""
    return F.max_pool2d(mask, 2 * by + 1, 1, by)


def _around(x: Tensor) -> Tensor:
    """The mean of each pixel's 3 x 3 neighbours that lie in the picture."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
