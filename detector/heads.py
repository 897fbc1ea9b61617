"""Three readings of the features: a logit for each cell, one for the picture, one for each family.

Every expert has heads of its own, whose answers are added. The picture's logit reads the mean and the
standard deviation of every feature, so that a trace which is strong in a part of the picture is not
averaged away; so do those of the families.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Heads(nn.Module):
    """Features (B, C, h, w) of each expert -> logit (B,), map of logits (B, h, w), families (B, F).

    Without families there are two answers.
    """

    def __init__(self, features: Sequence[int], families: int, dropout: float) -> None:
        super().__init__()
        self.cell = nn.ModuleList(nn.Conv2d(count, 1, 1) for count in features)
        self.picture = nn.ModuleList(nn.Linear(2 * count, 1) for count in features)
        self.family = nn.ModuleList(nn.Linear(2 * count, families) for count in features if families)
        self.dropout = nn.Dropout(dropout)
        for layer in (*self.cell, *self.picture, *self.family):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        cells = _added(self.cell, features).squeeze(1)  # (B, 1, h, w) -> (B, h, w)
        pooled = [self.dropout(_moments(seen.float())) for seen in features]
        logits = _added(self.picture, pooled).squeeze(1)
        if not self.family:
            return logits, cells
        return logits, cells, _added(self.family, pooled)


def _moments(features: Tensor) -> Tensor:
    """Mean and standard deviation of every feature: (B, C, h, w) -> (B, 2C)."""
    mean = features.mean((2, 3))
    deviation = ((features - mean[:, :, None, None]).square().mean((2, 3)) + 1e-4).sqrt()
    return torch.cat([mean, deviation], 1)


def _added(layers: nn.ModuleList, inputs: Sequence[Tensor]) -> Tensor:
    return torch.stack([layer(seen) for layer, seen in zip(layers, inputs, strict=True)]).sum(0)
