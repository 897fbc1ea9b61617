"""Detectors rebuilt from published ideas, to be trained on the same pairs by the same loop as ours.

What is rebuilt is the idea, at the width of our own trunk: what the network looks at, and for one how far
it sees. All share our losses, masks and degradations, so that a difference in the tables is the idea's; the
CNN of 2020, whose idea is its degradations, has those instead.

cnn      colours; blur and JPEG in training (Wang et al. 2020, arXiv 1912.11035)
npr      x - up(down(x)) by nearest neighbour (Tan et al. 2023, arXiv 2312.10461)
haar     the diagonal band of Haar's wavelet (SAFE, Li et al. 2024, arXiv 2408.06741)
median   x - the median of its eight neighbours (FerretNet, arXiv 2509.20890)
patch    the residual of npr, seen in patches of 8 x 8 px and averaged (LaDeDa, Cavia et al. 2024, arXiv
         2406.09398, where they are 9 x 9: our grid of 2 x 2 px allows even sides)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from detector.backbone import BackboneConfig, conv
from detector.corrupt import CorruptionConfig
from detector.model import DetectorConfig, FakeDetector
from detector.stems import Stem

_TRUNK = BackboneConfig(channels=(20, 48, 64), dilations=(1,))
BLUR_AND_JPEG = CorruptionConfig(
    lengths=(0.35, 0.4, 0.25), recompressed=0.0, weights=(("blur", 1.0), ("jpeg", 1.0))
)


@dataclass(frozen=True)
class BaselineConfig(DetectorConfig):
    """A detector that looks at what `idea` of `STEMS` names, in patches alone if `patches`."""

    idea: str = "npr"
    patches: bool = False

    def stem(self) -> Stem:
        return STEMS[self.idea]()

    def expert(self, inputs: int, trunk: BackboneConfig) -> nn.Module:
        return PatchTrunk(inputs, trunk) if self.patches else super().expert(inputs, trunk)


def load_baseline(path: Path) -> FakeDetector:
    """The trained baseline in a run's file, in evaluation mode."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    fields = saved["config"]
    plain = DetectorConfig.from_dict(fields)
    model = FakeDetector(BaselineConfig(**vars(plain), idea=fields["idea"], patches=fields["patches"]))
    model.load_state_dict(saved["weights"])
    return model.eval()


class ColourStem(Stem):
    """The colours themselves, normalised as ImageNet's are: what a CNN is usually given."""

    channels = 12

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor([123.7, 116.3, 103.5]).view(shape), persistent=False)
        self.register_buffer("deviation", torch.tensor([58.4, 57.1, 57.4]).view(shape), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return F.pixel_unshuffle((pixels - self.mean) / self.deviation, 2)


class NearestStem(Stem):
    """x - up(down(x)): each pixel of a block of 2 x 2 less the block's first."""

    channels = 9

    def forward(self, pixels: Tensor) -> Tensor:
        first, *others = _phases(pixels)
        return torch.cat([other - first for other in others], 1) / 16


class HaarStem(Stem):
    """The diagonal band of one step of Haar's transform, for each colour."""

    channels = 3

    def forward(self, pixels: Tensor) -> Tensor:
        a, b, c, d = _phases(pixels)
        return (a - b - c + d) / 16


class MedianStem(Stem):
    """x - the lower median of its eight neighbours, by a network of minima and maxima.

    ONNX has no median; what stands next to the border has no neighbours and says nothing.
    """

    channels = 12

    def forward(self, pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        around = [
            pixels[:, :, y : height - 2 + y, x : width - 2 + x]
            for y in range(3)
            for x in range(3)
            if (y, x) != (1, 1)
        ]
        for low, high in _SORTING_NETWORK:
            smaller, larger = (
                torch.minimum(around[low], around[high]),
                torch.maximum(around[low], around[high]),
            )
            around[low], around[high] = smaller, larger
        residual = F.pad((pixels[:, :, 1:-1, 1:-1] - around[3]) / 16, (1, 1, 1, 1))
        return F.pixel_unshuffle(residual, 2)


class PatchTrunk(nn.Module):
    """Features of patches of 8 x 8 px, four to a cell, averaged; no convolution reaches beyond a patch."""

    def __init__(self, inputs: int, config: BackboneConfig) -> None:
        super().__init__()
        fine, *middle, coarse = config.channels
        widths = [fine, *middle, coarse]
        self.patch = conv(inputs, fine, 3)  # 6 x 6 px
        self.step = nn.Sequential(
            nn.Conv2d(fine, fine, 2, 2, bias=False), nn.BatchNorm2d(fine), nn.ReLU(inplace=True)
        )  # 8 x 8 px, every 4 px
        self.points = nn.Sequential(*(conv(before, after, 1) for before, after in pairwise(widths)))

    def forward(self, residuals: Tensor) -> Tensor:
        return F.avg_pool2d(self.points(self.step(self.patch(residuals))), 2)


def _phases(pixels: Tensor) -> list[Tensor]:
    """The four pixels of every block of 2 x 2, row by row: each (B, 3, H / 2, W / 2)."""
    blocks = F.pixel_unshuffle(pixels, 2)
    return [blocks[:, place::4] for place in range(4)]


STEMS: dict[str, type[Stem]] = {
    "colours": ColourStem,
    "npr": NearestStem,
    "haar": HaarStem,
    "median": MedianStem,
}
BASELINES: dict[str, BaselineConfig] = {
    "cnn": BaselineConfig(_TRUNK, idea="colours"),
    "npr": BaselineConfig(_TRUNK, idea="npr"),
    "haar": BaselineConfig(_TRUNK, idea="haar"),
    "median": BaselineConfig(_TRUNK, idea="median"),
    "patch": BaselineConfig(_TRUNK, idea="npr", patches=True),
}


# Batcher's for eight: odd-even merge sort in 19 comparisons.
_SORTING_NETWORK = (
    *((0, 1), (2, 3), (4, 5), (6, 7)),
    *((0, 2), (1, 3), (4, 6), (5, 7)),
    *((1, 2), (5, 6), (0, 4), (3, 7)),
    *((1, 5), (2, 6)),
    *((1, 4), (3, 6)),
    *((2, 4), (3, 5)),
    (3, 4),
)
