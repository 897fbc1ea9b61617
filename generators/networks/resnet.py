"""The translator of CycleGAN: two halvings, residual blocks, two doublings (Johnson et al. 2016, 1603.08155).

Layers as in Zhu et al. 2017 (1703.10593, section 7.2) and junyanz/pytorch-CycleGAN-and-pix2pix: reflected
borders, instance norm without gain and without running statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from generators.networks.patch import initialise
from generators.networks.upsamplers import upsampler


class ResnetTranslator(nn.Module):
    """source (B, C, H, W) -> images (B, C, H, W) in [-1, 1]; H and W are multiples of 4, from 16.

    `width` channels stand at full resolution, four times as many in the `blocks` residual blocks; `up`
    names the operator of `upsamplers.py` that doubles ("transposed-k3s2" is the paper's). With `residual`
    the net draws what is added to the source, so a picture comes through before anything is learnt.
    """

    def __init__(
        self, *, width: int, blocks: int, up: str, residual: bool = False, channels: int = 3
    ) -> None:
        super().__init__()
        self.residual = residual
        layers = _normed(nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"), width)
        for wide in (width * 2, width * 4):
            layers += _normed(nn.Conv2d(wide // 2, wide, 3, stride=2, padding=1), wide)
        layers += [Residual(width * 4) for _ in range(blocks)]
        for wide in (width * 2, width):
            layers += _normed(upsampler(up, wide * 2, wide), wide)
        last = nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect")
        self.layers = nn.Sequential(*layers, last)
        self.apply(initialise)

    def forward(self, source: Tensor) -> Tensor:
        answer: Tensor = self.layers(source)
        if not self.residual:
            return torch.tanh(answer)
        # A clamp has no gradient outside its range, so training sees the bare sum.
        return source + answer if self.training else (source + answer).clamp(-1, 1)


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), 3x3 on reflected borders."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect") for _ in range(2))
        self.layers = nn.Sequential(*_normed(first, width), second, nn.InstanceNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


def _normed(layer: nn.Module, width: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(width), nn.ReLU()]
