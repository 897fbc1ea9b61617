"""Telling persons apart where only some of them are known by more than one picture."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def identity_loss(logits: Tensor, identity: Tensor) -> Tensor:
    """Mean cross-entropy over the faces whose person is known (`identity` is not -1); 0 without any."""
    if logits.shape[1] == 0:  # nobody is known by two pictures
        return logits.float().sum()
    known = identity >= 0
    losses = F.cross_entropy(logits.float(), identity.clamp(min=0), reduction="none")
    return (losses * known).sum() / known.sum().clamp(min=1)
