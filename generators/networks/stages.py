"""The blocks of AttnGAN's stages and the critic that each stage has (Xu et al. 2017, 1711.10485).

As the released code (taoxugit/AttnGAN, code/model.py): gated linear units in G, no bias in convolutions,
orthogonal first weights.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Augmentation(nn.Module):
    """Sentence (B, D) -> mean and log variance (B, condition) of what the first stage is told."""

    def __init__(self, text: int, condition: int) -> None:
        super().__init__()
        self.dense = nn.Linear(text, 4 * condition)

    def forward(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = F.glu(self.dense(sentence), 1).chunk(2, 1)
        return mean, log_variance


class Residual(nn.Module):
    """x (B, C, H, W) -> x + f(x), gated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_gated(width, width), conv(width, width), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.layers(x)
        return x + change


class Critic(nn.Module):
    """Images of one size, sentences -> the logit (B,) without a caption, then one for each sentence."""

    def __init__(self, side: int, *, width: int, text: int, normed: bool) -> None:
        super().__init__()
        widths = [3, *(width * 2**n for n in range((side // 4).bit_length() - 1))]
        layers: list[nn.Module] = []
        for n, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += _judging(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), normed and n > 0)
        top = widths[-1]
        while top > 8 * width:  # the larger sizes come back to the same channels
            layers += _judging(nn.Conv2d(top, top // 2, 3, 1, 1, bias=False), normed)
            top //= 2
        self.layers = nn.Sequential(*layers)
        joint = _judging(nn.Conv2d(top + text, top, 3, 1, 1, bias=False), normed)
        self.joint = nn.Sequential(*joint)
        self.alone, self.told = nn.Conv2d(top, 1, 4, 4), nn.Conv2d(top, 1, 4, 4)
        self.apply(initialise)

    def forward(self, images: Tensor, *sentences: Tensor) -> tuple[Tensor, ...]:
        found = self.layers(images)  # (B, C, 4, 4)
        logits = [self.alone(found)]
        for sentence in sentences:
            said = sentence[:, :, None, None].expand(-1, -1, 4, 4)
            logits.append(self.told(self.joint(torch.cat((found, said), 1))))
        return tuple(each.flatten().float() for each in logits)


def doubling(inputs: int, outputs: int) -> nn.Module:
    """Nearest neighbours, then a gated convolution: (B, C, H, W) -> (B, C', 2H, 2W)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *_gated(inputs, outputs))


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)


def initialise(module: nn.Module) -> None:
    """Orthogonal first weights, as the released code's."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.orthogonal_(module.weight)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _gated(inputs: int, outputs: int) -> list[nn.Module]:
    return [conv(inputs, 2 * outputs), nn.BatchNorm2d(2 * outputs), nn.GLU(1)]


def _judging(conv: nn.Conv2d, normed: bool) -> list[nn.Module]:
    norm: list[nn.Module] = [nn.BatchNorm2d(conv.out_channels)] if normed else []
    return [conv, *norm, nn.LeakyReLU(0.2)]
