"""The trunk: a small fully convolutional network that halves its sides once or twice, batch-normalised.

No pooling and no resize: a feature sees a fixed neighbourhood (about 80 px) at native resolution
wherever it stands, so that a tile and the whole picture give the same features.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class BackboneConfig:
    """Channels at each stride, from the residuals' own on, and the dilation of each block at the last."""

    channels: tuple[int, ...] = (20, 48, 64)
    dilations: tuple[int, ...] = (1,)


class Backbone(nn.Module):
    """Residuals (B, C, h, w) -> features (B, channels[-1], h / 2^n, w / 2^n), n strides, not negative."""

    def __init__(self, inputs: int, config: BackboneConfig) -> None:
        super().__init__()
        fine, *middle, coarse = config.channels
        layers: list[nn.Module] = [conv(inputs, fine, 3)]
        width = fine
        for wider in middle:
            layers += [conv(width, wider, 3, stride=2), Block(wider, 1)]
            width = wider
        layers += [
            conv(width, coarse, 3, stride=2),
            *(Block(coarse, dilation) for dilation in config.dilations),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, residuals: Tensor) -> Tensor:
        features: Tensor = self.layers(residuals)
        return features


class Block(nn.Module):
    """One 3 x 3 convolution around which its input is carried unchanged."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.body = conv(channels, channels, 3, dilation=dilation)

    def forward(self, features: Tensor) -> Tensor:
        changed: Tensor = self.body(features)
        return features + changed


def conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """A convolution that keeps the size but for its stride, with its normalisation."""
    padding = dilation * (kernel // 2)
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs, momentum=0.05), nn.ReLU(inplace=True))
