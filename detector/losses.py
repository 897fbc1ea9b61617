"""What the detector is held to: four readings of the same pictures.

Is it forged (binary cross-entropy), which cells are (the same, cell by cell), is the twin more suspicious
than the real picture it was made from (pairwise logistic), which cancels what the picture shows, and which
family made it (cross-entropy over the families, of forgeries that one of them made).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

UNNAMED = -1  # the family of a forgery that is asked for none


def losses(
    answers: Sequence[Tensor], cells: Tensor, families: Tensor, *, forged_share: float
) -> dict[str, Tensor]:
    """The losses of one batch, each a mean.

    `answers` are logits (2P,), maps (2P, h, w) and, if any, families (2P, F), reals before their twins;
    `cells` (2P, h, w) the forged share 0..1 of each cell; `families` (P,) the index of each twin's family or
    `UNNAMED`. A picture forged in less than `forged_share` of its area has no label as a whole.
    """
    logits, maps, *named = (answer.float() for answer in answers)
    share = cells.mean((1, 2))
    known = (share == 0) | (share >= forged_share)
    picture = F.binary_cross_entropy_with_logits(logits, (share > 0).float(), reduction="none")
    reals, fakes = logits.chunk(2)
    forged = (share >= forged_share).chunk(2)[1]
    rank = F.softplus(reals - fakes)
    found = {
        "picture": (picture * known).sum() / known.sum().clamp_min(1),
        "cells": F.binary_cross_entropy_with_logits(maps, cells),
        "rank": (rank * forged).sum() / forged.sum().clamp_min(1),
    }
    if named:
        theirs = named[0].chunk(2)[1]
        made = families != UNNAMED
        each = F.cross_entropy(theirs, families.clamp_min(0), reduction="none")
        found["family"] = (each * made).sum() / made.sum().clamp_min(1)
    return found
