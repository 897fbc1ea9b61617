"""The trunk: a small fully convolutional network at strides 2, 4 and 8, batch-normalised.

No pooling and no resize: a feature sees a fixed neighbourhood (about 80 px) at native resolution
wherever it stands, so that a tile and the whole picture give the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class BackboneConfig:
    """Channels at strides 2, 4 and 8, and the dilation of each block at stride 8."""

    channels: tuple[int, int, int] = (24, 48, 80)
    dilations: tuple[int, ...] = (1, 2)


class Backbone(nn.Module):
    """Residuals (B, C, H / 2, W / 2) -> features (B, channels[2], H / 8, W / 8), not negative."""

    def __init__(self, inputs: int, config: BackboneConfig) -> None:
        super().__init__()
        fine, middle, coarse = config.channels
        self.fine = nn.Sequential(_conv(inputs, fine, 1), _conv(fine, fine, 3))
        self.middle = nn.Sequential(_conv(fine, middle, 3, stride=2), Block(middle, 1))
        self.coarse = nn.Sequential(
            _conv(middle, coarse, 3, stride=2), *(Block(coarse, dilation) for dilation in config.dilations)
        )
        self.features = coarse

    def forward(self, residuals: Tensor) -> Tensor:
        features: Tensor = self.coarse(self.middle(self.fine(residuals)))
        return features


class Block(nn.Module):
    """One 3 x 3 convolution around which its input is carried unchanged."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = _conv(channels, channels, 3, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.body(features)
        return features + changed


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, momentum=0.05), nn.ReLU(inplace=True))
