"""Two readings of the features: a logit for each cell of the map, and one for the picture.

The picture's logit reads the mean and the standard deviation of every feature, so that a trace
which is strong in a part of the picture is not averaged away.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Heads(nn.Module):
    """Features (B, C, h, w) -> the picture's logit (B,) and the map of logits (B, h, w)."""

    def __init__(self, features: int, dropout: float) -> None:
        super().__init__()
        self.cell = nn.Conv2d(features, 1, 1)
        self.dropout = nn.Dropout(dropout)
        self.picture = nn.Linear(2 * features, 1)
        for layer in (self.cell, self.picture):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        cells = self.cell(features).squeeze(1)  # (B, C, h, w) -> (B, h, w)
        features = features.float()
        mean = features.mean((2, 3))
        deviation = ((features - mean[:, :, None, None]).square().mean((2, 3)) + 1e-4).sqrt()
        pooled = torch.cat([mean, deviation], 1)  # (B, 2C)
        logits = self.picture(self.dropout(pooled)).squeeze(1)
        return logits, cells
