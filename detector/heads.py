"""Three readings of the features: a logit for each cell, one for the picture, one for each family.

Every expert has heads of its own, whose answers are added. The picture's logit reads the mean and the
standard deviation of every feature, so that a trace which is strong in a part of the picture is not
averaged away; so do those of the families. To these a readout can be added that sees all experts
together, and their features where they are strongest; it is no longer linear, so that a feature can mean
one thing beside another.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = 5  # cells of the mean under which extremes are looked for: a lone cell is none


class Heads(nn.Module):
    """Features (B, C, h, w) of each expert -> logit (B,), map of logits (B, h, w), families (B, F).

    Without families there are two answers; without `hidden` units there is no readout.
    """

    def __init__(self, features: Sequence[int], families: int, dropout: float, hidden: int = 0) -> None:
        super().__init__()
        self.cell = nn.ModuleList(nn.Conv2d(count, 1, 1) for count in features)
        self.picture = nn.ModuleList(nn.Linear(2 * count, 1) for count in features)
        self.family = nn.ModuleList(nn.Linear(2 * count, families) for count in features if families)
        self.dropout = nn.Dropout(dropout)
        for layer in (*self.cell, *self.picture, *self.family):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.readout = Readout(4 * sum(features), hidden, 1 + families, dropout) if hidden else None

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        cells = _added(self.cell, features).squeeze(1)  # (B, 1, h, w) -> (B, h, w)
        pooled = [self.dropout(_moments(seen.float())) for seen in features]
        logits = _added(self.picture, pooled).squeeze(1)
        families = _added(self.family, pooled) if self.family else None
        if self.readout is not None:
            more = self.readout(summary(features))
            logits = logits + more[:, 0]
            families = None if families is None else families + more[:, 1:]
        return (logits, cells) if families is None else (logits, cells, families)


class Readout(nn.Module):
    """Summaries (B, S) -> what is added to the logits of the picture and of the families, (B, outputs).

    Fresh it adds nothing.
    """

    def __init__(self, summary: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(summary, hidden), nn.Linear(hidden, outputs)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, seen: Tensor) -> Tensor:
        added: Tensor = self.outer(self.dropout(F.gelu(self.inner(self.dropout(seen)))))
        return added


def summary(features: Sequence[Tensor]) -> Tensor:
    """Mean, deviation, largest and smallest of every feature of every expert: (B, 4 (C1 + C2 + ...)).

    The largest and the smallest are of means over 5 x 5 cells, which lie inside the map.
    """
    whole = [_moments(seen.float()) for seen in features]
    local = [F.avg_pool2d(seen.float(), WINDOW, stride=1) for seen in features]
    return torch.cat(
        [*whole, *(seen.amax((2, 3)) for seen in local), *(seen.amin((2, 3)) for seen in local)], 1
    )


def _moments(features: Tensor) -> Tensor:
    """Mean and standard deviation of every feature: (B, C, h, w) -> (B, 2C)."""
    mean = features.mean((2, 3))
    deviation = ((features - mean[:, :, None, None]).square().mean((2, 3)) + 1e-4).sqrt()
    return torch.cat([mean, deviation], 1)


def _added(layers: nn.ModuleList, inputs: Sequence[Tensor]) -> Tensor:
    return torch.stack([layer(seen) for layer, seen in zip(layers, inputs, strict=True)]).sum(0)
