"""The two encoders that meet in one space, so that pictures and captions can be held against each other.

The picture's side is a small convolutional net trained from scratch, where AttnGAN has an Inception v3 that
was trained on ImageNet: 8 x 8 regions and one vector for the whole.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.text.encoder import CaptionEncoder

REGIONS = 8  # a side


class PictureEncoder(nn.Module):
    """Images (B, 3, S, S), S a power of two from 16 -> regions (B, D, 64) and the whole (B, D)."""

    def __init__(self, image_size: int, *, width: int, size: int) -> None:
        super().__init__()
        halvings = (image_size // REGIONS).bit_length() - 1
        widths = [3, *(width * 2 ** min(n, 2) for n in range(halvings))]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [*_stage(inputs, outputs, 2), *_stage(outputs, outputs, 1)]
        self.trunk = nn.Sequential(*layers)
        self.regions = nn.Conv2d(widths[-1], size, 1, bias=False)
        self.whole = nn.Sequential(
            *_stage(widths[-1], widths[-1], 2), nn.Flatten(), nn.Linear(widths[-1] * 16, size)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.trunk(images)  # (B, C, 8, 8)
        return self.regions(seen).flatten(2), self.whole(seen)


class Matcher(nn.Module):
    """A caption encoder and a picture encoder with outputs of one `size`, and a layer that names `classes`.

    Picture and caption naming the classes through one layer is no part of AttnGAN's matching loss. With few
    pictures both learn many times sooner by it, and to say it alike.
    """

    def __init__(
        self,
        image_size: int,
        vocabulary: int,
        *,
        embedding: int,
        size: int,
        width: int,
        classes: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.text = CaptionEncoder(vocabulary, embedding=embedding, size=size, dropout=dropout)
        self.pictures = PictureEncoder(image_size, width=width, size=size)
        self.naming = nn.Linear(size, classes) if classes else None

    @classmethod
    def of(cls, config: Any) -> Matcher:
        """The matcher of a system's config."""
        return cls(
            config.image_size,
            len(config.words),
            embedding=config.embedding,
            size=config.text,
            width=config.matcher_width,
            classes=len(config.classes) if config.naming_weight else 0,
            dropout=config.dropout,
        )

    def naming_loss(self, whole: Tensor, sentence: Tensor, named: Tensor) -> Tensor:
        """How ill pictures (B, D) and captions (B, D) name the classes `named` (B, K), 0 or 1."""
        assert self.naming is not None
        logits = self.naming(torch.cat((whole, sentence))).float()
        return F.binary_cross_entropy_with_logits(logits, named.repeat(2, 1))


def _stage(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    # Groups and not batches: what a picture shows must not depend on its neighbours.
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [conv, nn.GroupNorm(4, outputs), nn.LeakyReLU(0.2)]
