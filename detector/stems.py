"""Fixed residual filters: what is left of a pixel once its neighbours have predicted it.

Generators betray themselves in how neighbouring pixels depend on one another, not in what they
depict, so the network sees residuals alone. The bank: neighbour differences, Haar's diagonal band,
the square and Ker-Bohme filters of steganalysis (Fridrich and Kodovsky 2012, rich models) on luma and
colour differences. Each is truncated, as there, so that edges of the depicted things do not drown the
rest. After unshuffling two by two, three of the channels are the nearest-phase residual
x - up(down(x)) of NPR (Tan et al. 2023, arXiv 2312.10461).

Convolution, product and clamp only: every ONNX runtime has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH = 2  # pixels a filter looks to each side
PHASES = 2  # the side of the block whose pixels become channels

_LUMA = (1, 2, 1)  # of R, G, B, over 4: integers keep the sums exact in bfloat16
_RED = (1, -1, 0)
_BLUE = (0, -1, 1)

_Taps = dict[tuple[int, int], int]
_SQUARE: _Taps = {
    (y, x): (-4 if (y, x) == (0, 0) else 2 if 0 in (y, x) else -1) for y in (-1, 0, 1) for x in (-1, 0, 1)
}
_WIDE_SQUARE: _Taps = {(2 * y, 2 * x): tap for (y, x), tap in _SQUARE.items()}
_KER_BOHME: _Taps = {
    (y, x): tap
    for y, row in zip(
        range(-2, 3),
        ((-1, 2, -2, 2, -1), (2, -6, 8, -6, 2), (-2, 8, -12, 8, -2), (2, -6, 8, -6, 2), (-1, 2, -2, 2, -1)),
        strict=True,
    )
    for x, tap in zip(range(-2, 3), row, strict=True)
}

# name, colour weights, taps at (y, x), divisor, truncation in grey levels
_BANK: tuple[tuple[str, tuple[int, int, int], _Taps, int, int], ...] = (
    ("right", _LUMA, {(0, 0): -1, (0, 1): 1}, 4, 16),
    ("below", _LUMA, {(0, 0): -1, (1, 0): 1}, 4, 16),
    ("diagonal", _LUMA, {(0, 0): -1, (1, 1): 1}, 4, 16),
    ("haar", _LUMA, {(0, 0): 1, (0, 1): -1, (1, 0): -1, (1, 1): 1}, 8, 8),
    ("square", _LUMA, _SQUARE, 16, 8),
    ("wide square", _LUMA, _WIDE_SQUARE, 16, 16),
    ("ker-bohme", _LUMA, _KER_BOHME, 48, 6),
    ("red square", _RED, _SQUARE, 4, 8),
    ("blue square", _BLUE, _SQUARE, 4, 8),
)

NAMES = tuple(row[0] for row in _BANK)


class Stem(nn.Module):
    """The fixed first part of a detector: pixels (B, 3, H, W) in 0..255 -> (B, `channels`, H / 2, W / 2)."""

    channels: int


class ResidualStem(Stem):
    """Pixels to truncated residuals: (B, 3, H, W) in 0..255 -> (B, 36, H / 2, W / 2) in -1..1.

    The two pixels next to the border have no full neighbourhood; their residual is 0, which says
    nothing. H and W are even. Filters and unshuffling are one strided convolution: each filter stands
    in it four times, once for each position in the 2 x 2 block.
    """

    channels = len(_BANK) * PHASES**2

    kernels: Tensor
    scales: Tensor

    def __init__(self) -> None:
        super().__init__()
        side = 2 * REACH + PHASES
        kernels = torch.zeros(len(_BANK), PHASES, PHASES, 3, side, side)
        for index, (_, colour, taps, _, _) in enumerate(_BANK):
            for row in range(PHASES):
                for column in range(PHASES):
                    for (y, x), tap in taps.items():
                        place = kernels[index, row, column, :, row + y + REACH, column + x + REACH]
                        place.copy_(tap * torch.tensor(colour))
        scales = torch.tensor([1.0 / (divisor * limit) for *_, divisor, limit in _BANK])
        self.register_buffer("kernels", kernels.view(self.channels, 3, side, side), persistent=False)
        self.register_buffer(
            "scales", scales.repeat_interleave(PHASES**2).view(1, -1, 1, 1), persistent=False
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Residuals of the pixels, the four positions of each 2 x 2 block as neighbouring channels."""
        residuals = F.conv2d(pixels, self.kernels, stride=PHASES)  # (B, 36, H/2 - 2, W/2 - 2)
        residuals = residuals.mul_(self.scales).clamp_(-1.0, 1.0)
        border = REACH // PHASES
        return F.pad(residuals, (border, border, border, border))
