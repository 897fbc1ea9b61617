"""Small judges trained here on real pictures, which say whether a translation shows what it should.

`Domains` tells two domains apart; `Labels` reads a label map back from a photograph, as the FCN score of
Isola et al. 2016 (1611.07004, section 4.1) does with a pretrained net. No system trains against them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import Batch, TrainingData
from generators.training.budget import rng_at

Judge = TypeVar("Judge", bound=nn.Module)

# A source with more colours than this is a picture, not a label map.
MOST_LABELS = 64


class Domains(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> logit (B,), positive for the second domain."""

    def __init__(self, channels: int = 3, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n in range(4):
            inputs, outputs = (channels if n == 0 else width * 2 ** (n - 1)), width * 2**n
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(width * 8, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(images).mean((2, 3)))
        return logits[:, 0]


class Labels(nn.Module):
    """Images (B, C, H, W) in [-1, 1] -> logits (B, classes, H, W); H and W are multiples of 8."""

    def __init__(self, classes: int, channels: int = 3, width: int = 24) -> None:
        super().__init__()

        def stage(inputs: int, outputs: int, stride: int, dilation: int = 1) -> list[nn.Module]:
            conv = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation)
            return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]

        self.trunk = nn.Sequential(
            *stage(channels, width, 2),
            *stage(width, 2 * width, 2),
            *stage(2 * width, 2 * width, 1),
            *stage(2 * width, 4 * width, 2),
            *stage(4 * width, 4 * width, 1, 2),
            nn.Conv2d(4 * width, classes, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(self.trunk(images), scale_factor=8.0, mode="bilinear")


def train_domains(data: TrainingData, *, steps: int = 300, batch: int = 32) -> Domains:
    """A judge of `data`'s domains: `extra["other"]` is the first, `images` the second."""
    judge = _fresh(Domains)

    def loss(drawn: Batch) -> Tensor:
        # In one batch, or batch norm would take away from each domain what tells it from the other.
        first, second = judge(torch.cat((drawn.extra["other"], drawn.images))).chunk(2)
        return F.softplus(first).mean() + F.softplus(-second).mean()

    return _trained(judge, loss, data, steps=steps, batch=batch // 2)


def train_labels(data: TrainingData, colours: Tensor, *, steps: int = 400, batch: int = 8) -> Labels:
    """A judge that finds which of `colours` (K, 3) the source of each pixel of a photograph has."""
    judge = _fresh(lambda: Labels(len(colours)))

    def loss(drawn: Batch) -> Tensor:
        return F.cross_entropy(judge(drawn.images), nearest(drawn.extra["condition"], colours))

    return _trained(judge, loss, data, steps=steps, batch=batch)


@torch.no_grad()
def in_parts(net: Callable[[Tensor], Tensor], images: Tensor, *, size: int = 16) -> Tensor:
    """`net` of `images` in fp32, a few at a time."""
    starts = range(0, len(images), size)
    return torch.cat([net(images[at : at + size]).float() for at in starts])


def colours_of(sources: Tensor) -> Tensor | None:
    """The colours (K, 3) of label maps (B, 3, H, W), None when they are pictures of many colours."""
    found = torch.unique(sources.permute(0, 2, 3, 1).reshape(-1, 3), dim=0)
    return found if 2 <= len(found) <= MOST_LABELS else None


def nearest(sources: Tensor, colours: Tensor) -> Tensor:
    """For each pixel (B, 3, H, W) the index (B, H, W) of its nearest colour (K, 3)."""
    pixels = sources.permute(0, 2, 3, 1)  # (B, 3, H, W) -> (B, H, W, 3)
    return torch.cdist(pixels.flatten(0, 2), colours).argmin(1).reshape(pixels.shape[:3])


def _fresh(build: Callable[[], Judge]) -> Judge:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build()


def _trained(
    judge: Judge, loss: Callable[[Batch], Tensor], data: TrainingData, *, steps: int, batch: int
) -> Judge:
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=1e-2)
    with torch.enable_grad():
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * (1 - step / steps)
            optimiser.zero_grad()
            torch.autograd.backward(loss(data.draw(batch, rng_at(0, step, "judge training"))))
            optimiser.step()
    return judge.requires_grad_(False).eval()
