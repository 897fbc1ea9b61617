"""What an autoencoder of the reconstruction family squeezes its features through.

Each takes features (B, C, h, w) and a noise that only the variational one uses, and returns features
of the same shape with the cost of the code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.networks.equalized import PixelNorm


class Plain(nn.Module):
    """No bottleneck but the resolution: the features pass as they are."""

    def forward(self, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        return features, features.new_zeros(())


class Variational(nn.Module):
    """A Gaussian code; `noise` (B, latent, h, w) samples it, None takes its mean. Cost: KL a dimension."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.moments = nn.Conv2d(width, 2 * latent, 1)
        self.back = nn.Conv2d(latent, width, 1)

    def forward(self, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.moments(features).float().chunk(2, 1)
        log_variance = log_variance.clamp(-12, 6)
        cost = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean()  # Eq. 10
        code = mean if noise is None else mean + noise * (log_variance / 2).exp()
        return self.back(code), cost


class Quantised(nn.Module):
    """Each position becomes `groups` entries of their codebooks, the nearest ones, straight through.

    Codes are scaled to unit power before the look-up, where codebooks drawn from N(0, 1) lie: no
    entry starts out of reach. Cost: codebook term plus a quarter of the commitment term (Eq. 3).
    """

    def __init__(self, width: int, latent: int, codebook: int, groups: int) -> None:
        super().__init__()
        self.groups, self.size = groups, codebook
        self.code, self.norm = nn.Conv2d(width, latent, 1), PixelNorm()
        self.entries = nn.Parameter(torch.randn(groups, codebook, latent // groups))
        self.back = nn.Conv2d(latent, width, 1)

    def forward(self, features: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        code = self.norm(self.code(features).float())
        split = torch.unflatten(code, 1, (self.groups, -1)).permute(0, 3, 4, 1, 2)  # (B, h, w, groups, d)
        # |c - e|^2 without |c|^2, which is the same for every entry.
        far = self.entries.square().sum(-1) - 2 * torch.einsum("bhwgd,gkd->bhwgk", split, self.entries)
        offset = torch.arange(self.groups, device=code.device) * self.size
        chosen = F.embedding(far.argmin(-1) + offset, self.entries.flatten(0, 1))
        cost = (chosen - split.detach()).square().mean() + 0.25 * (chosen.detach() - split).square().mean()
        through = split + (chosen - split).detach()
        return self.back(through.permute(0, 3, 4, 1, 2).flatten(1, 2)), cost
