"""Turned faces whose answers are known: a face's mirror image, and other pictures of the same person."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from generators.contract import Batch
from generators.networks.turning import window


def known_answers(turn: Callable[[Tensor, Tensor], Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean distances, in the middle of the face, of `turn(images, yaw)` from mirror images and partners.

    Half of the batch is turned to the yaw of its mirror image, half to that of the picture beside it; the
    latter shows other light and another day, so it counts in blocks of eight pixels.
    """
    extra, half = batch.extra, batch.size // 2
    yaw = torch.cat((-extra["yaw"][:half], extra["turned_yaw"][half:]))
    truth = torch.cat((batch.images[:half].flip(-1), extra["turned"][half:]))
    off = turn(batch.images, yaw) - truth
    return _weighed(F.avg_pool2d(off[:half], 2)), _weighed(F.avg_pool2d(off[half:], 8))


def _weighed(off: Tensor) -> Tensor:
    return (off.abs() * window(off.shape[-1], off.device)).mean()
