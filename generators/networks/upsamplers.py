"""The operators a decoder can double its resolution with, by name: (B, C, H, W) -> (B, C', 2H, 2W).

The operator is the fingerprint of a decoder's fakes (Zhang et al. 2019, 1907.06515; Durall et al. 2020,
2003.01826; NPR, Tan et al. 2023, 2312.10461), so each differs from the others in how new pixels come
about and in nothing else. All of them export with free height and width: interpolation kernels are
sums of shifted copies, the Fourier zero-pad is its Kaiser-windowed sinc, no operator needs an FFT.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError

Builder = Callable[[int, int], nn.Module]


class Interpolation(nn.Module):
    """A fixed interpolation to twice the size with half-pixel centres, from the taps of even outputs.

    Output 2i lies a quarter pixel before input i and weighs inputs i-n .. i+n-1 by `taps`; output
    2i+1 is its mirror image. Edges are replicated.
    """

    def __init__(self, taps: tuple[float, ...]) -> None:
        super().__init__()
        self.taps = taps

    def forward(self, x: Tensor) -> Tensor:
        return self._along(self._along(x, 2), 3)

    def _along(self, x: Tensor, axis: int) -> Tensor:
        reach = len(self.taps) // 2
        even = _weighted(x, self.taps, axis, before=reach, after=reach - 1)
        odd = _weighted(x, self.taps[::-1], axis, before=reach - 1, after=reach)
        return torch.stack((even, odd), axis + 1).flatten(axis, axis + 1)


class Interpolated(nn.Module):
    """Interpolate, then a learned 3x3 convolution (Odena et al. 2016, resize-convolution).

    The 1x1 convolution to C' stands before the interpolation, with which it commutes, to save cost.
    """

    def __init__(self, inputs: int, outputs: int, interpolation: nn.Module) -> None:
        super().__init__()
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.interpolation = interpolation
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(self.interpolation(self.mix(x)))
        return out


class PixelShuffle(nn.Module):
    """Sub-pixel convolution (Shi et al. 2016, 1609.05158), its four phases initialised apart (no ICNR)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), 2)


class Filtered(nn.Module):
    """StyleGAN2's upsampling convolution (1912.04958): zero-insertion, learned 3x3, then [1, 3, 3, 1]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # (B, C, H, W) -> (B, C', 2H + 1, 2W + 1)
        for axis in (2, 3):
            # Gain 2 along each axis makes up for the inserted zeros.
            x = _weighted(x, (0.25, 0.75, 0.75, 0.25), axis, before=1, after=1)
        return x


class Unpooled(nn.Module):
    """Unpooling: each value goes to one of the four places of its cell, then a 3x3 convolution.

    SegNet (1511.00561) places by the encoder's pooling switches. Those cannot cross a bottleneck, so
    the decoder predicts them, softly: a softmax over the four places for each channel.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.values = nn.Conv2d(inputs, 5 * outputs, 3, padding=1)
        self.conv = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        values, switches = self.values(x).split((self.outputs, 4 * self.outputs), 1)
        places = switches.unflatten(1, (self.outputs, 4)).softmax(2)  # (B, C', 4, H, W)
        spread = (2 * values.unsqueeze(2) * places).flatten(1, 2)
        out: Tensor = self.conv(F.pixel_shuffle(spread, 2))
        return out


class Haar(nn.Module):
    """Four predicted subbands and the inverse Haar transform, which is fixed and orthonormal."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.bands = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        low, across, down, diagonal = self.bands(x).chunk(4, 1)
        phases = (
            low + across + down + diagonal,
            low - across + down - diagonal,
            low + across - down - diagonal,
            low - across - down + diagonal,
        )
        return F.pixel_shuffle(torch.stack(phases, 2).flatten(1, 2) / 2, 2)


def upsampler(name: str, inputs: int, outputs: int) -> nn.Module:
    """The operator called `name`, from `inputs` to `outputs` channels; raises UsageError for another."""
    if name not in UPSAMPLERS:
        raise UsageError(f"There is no upsampler {name!r}.", f"Known: {', '.join(UPSAMPLERS)}.")
    return UPSAMPLERS[name](inputs, outputs)


def bicubic_taps(sharpness: float = -0.75) -> tuple[float, ...]:
    """Keys' cubic kernel at the four inputs around a quarter-pixel offset; -0.75 as OpenCV and torch."""

    def kernel(distance: float) -> float:
        a, d = sharpness, distance
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a

    return tuple(kernel(abs(offset + 0.25)) for offset in range(-2, 2))


def sinc_taps(reach: int = 3, beta: float = 4.0) -> tuple[float, ...]:
    """The sinc under a Kaiser window of `reach` inputs to each side, summing to one."""
    taps = []
    for offset in range(-reach, reach):
        d = offset + 0.25
        shape = torch.tensor([beta * math.sqrt(1 - (d / reach) ** 2), beta])
        inside, peak = torch.special.i0(shape).tolist()
        taps.append(math.sin(math.pi * d) / (math.pi * d) * inside / peak)
    return tuple(tap / sum(taps) for tap in taps)


def _weighted(x: Tensor, taps: tuple[float, ...], axis: int, *, before: int, after: int) -> Tensor:
    # The correlation of x with `taps` along one axis, edges replicated by `before` and `after`.
    pad = (0, 0, before, after) if axis == 2 else (before, after, 0, 0)
    padded = F.pad(x, pad, mode="replicate")
    total = torch.zeros_like(x[:, :1, :1, :1])
    for index, tap in enumerate(taps):
        stop = index - len(taps) + 1 or None
        shifted = padded[:, :, index:stop] if axis == 2 else padded[:, :, :, index:stop]
        total = total + shifted * tap
    return total


def _transposed(kernel: int, padding: int, output_padding: int) -> Builder:
    return lambda inputs, outputs: nn.ConvTranspose2d(
        inputs, outputs, kernel, stride=2, padding=padding, output_padding=output_padding
    )


def _interpolated(interpolation: Callable[[], nn.Module]) -> Builder:
    return lambda inputs, outputs: Interpolated(inputs, outputs, interpolation())


UPSAMPLERS: dict[str, Builder] = {
    "nearest": _interpolated(lambda: nn.Upsample(scale_factor=2, mode="nearest")),
    "bilinear": _interpolated(lambda: Interpolation((0.25, 0.75))),
    "bicubic": _interpolated(lambda: Interpolation(bicubic_taps())),
    "sinc": _interpolated(lambda: Interpolation(sinc_taps())),
    "transposed-k4s2": _transposed(4, 1, 0),
    "transposed-k3s2": _transposed(3, 1, 1),
    "transposed-k2s2": _transposed(2, 0, 0),
    "pixel-shuffle": PixelShuffle,
    "fir": Filtered,
    "unpool": Unpooled,
    "haar": Haar,
}
