"""TP-GAN's networks: a global pathway over the whole face, a local one over each of its four parts.

Huang et al. 2017 (1704.04086), layers as in HRLTY/TP-GAN, but strides pad evenly on both sides where
TensorFlow pads to the right and below.
Sizes below are the published ones, at 128 px; S is the side of the picture, w the width (64).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Patch = tuple[int, int, int, int]  # left, top, width, height in pixels; sides are multiples of 8

NOISE = 0.02  # the deviation of the noise beside the code

PARTS = ("eye_left", "eye_right", "nose", "mouth")


class ResidualBlock(nn.Module):
    """x (B, C, H, W) -> the same shape: two convolutions beside x, LeakyReLU after the sum."""

    def __init__(self, channels: int, kernel: int = 3, *, normed: bool = True) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, kernel)
        self.second = _convolution(channels, channels, kernel)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) if normed else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[1](self.second(_leaky(self.norms[0](self.first(x)))))
        return _leaky(x + y)


class LocalPathway(nn.Module):
    """One part (B, inputs, h, w) of a turned face -> its frontal features (B, w, h, w) and picture."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.enter = nn.Sequential(_convolution(inputs, width), nn.LeakyReLU(0.2), ResidualBlock(width))
        self.down = nn.ModuleList(
            nn.Sequential(_normed(before, after, stride=2), ResidualBlock(after))
            for before, after in pairwise(widths)
        )
        self.middle = ResidualBlock(widths[-1])
        self.up = nn.ModuleList(_doubled(2 * after, after) for after in widths[2::-1])
        self.select = nn.ModuleList(
            nn.Sequential(_normed(2 * after, after), ResidualBlock(after)) for after in widths[2::-1]
        )
        self.to_image = _convolution(width, 3)

    def forward(self, part: Tensor) -> tuple[Tensor, Tensor]:
        levels = [self.enter(part)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = self.middle(levels.pop())
        for up, select in zip(self.up, self.select, strict=True):
            x = select(torch.cat((up(x), levels.pop()), 1))
        return x, torch.tanh(self.to_image(x))


class Encoder(nn.Module):
    """Face beside its mirror image (B, 6, S, S) -> features at S, S/2, S/4, S/8, S/16, code (B, 4w)."""

    def __init__(self, size: int, width: int, largest: int) -> None:
        super().__init__()
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        kernels = [min(kernel, largest) for kernel in (7, 5, 3, 3, 3)]
        first = _convolution(6, width, kernels[0])
        self.stages = nn.ModuleList(
            [nn.Sequential(first, nn.LeakyReLU(0.2), ResidualBlock(width, kernels[0]))]
        )
        for n in range(1, 5):
            into = _normed(widths[n - 1], widths[n], kernels[n], stride=2)
            deep = [ResidualBlock(widths[n], kernels[n]) for _ in range(4 if n == 4 else 1)]
            self.stages.append(nn.Sequential(into, *deep))
        self.dense = nn.Linear(widths[-1] * (size // 16) ** 2, 8 * width)

    def forward(self, faces: Tensor) -> tuple[list[Tensor], Tensor]:
        levels: list[Tensor] = []
        x = faces
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        first, second = self.dense(x.flatten(1)).chunk(2, dim=1)
        return levels, torch.maximum(first, second)  # maxout: (B, 8w) -> (B, 4w)


class Decoder(nn.Module):
    """Levels and code of the encoder, and the parts' features -> faces at S, S/2 and S/4 in [-1, 1]."""

    def __init__(self, size: int, width: int, latent: int, largest: int) -> None:
        super().__init__()
        w, self.bottom = width, size // 16
        k5, k7 = min(5, largest), min(7, largest)
        self.dense = nn.Linear(4 * w + latent, self.bottom**2 * w)
        # Grows beside the main path: to S/4 by four at once, then twice by two.
        self.grow = nn.ModuleList(
            (_grown(w, w // 2, 4), _grown(w // 2, w // 4, 2), _grown(w // 4, w // 8, 2))
        )
        deep = 9 * w
        self.rebuild16 = nn.Sequential(*(ResidualBlock(deep, min(2, largest)) for _ in range(3)))
        self.up = nn.ModuleList((_grown(deep, 8 * w, 2, normed=True),))
        self.select = nn.ModuleList((ResidualBlock(4 * w),))
        self.rebuild = nn.ModuleList((nn.Sequential(ResidualBlock(12 * w), ResidualBlock(12 * w)),))
        self.to_image = nn.ModuleList()
        inputs = 12 * w
        for n, (own, seen) in enumerate(((4 * w, 2 * w + 6 + w // 2), (2 * w, w + 6 + w // 4))):
            self.up.append(_grown(inputs, own, 2, normed=True))
            self.select.append(ResidualBlock(seen, k5 if n else 3))
            inputs = own + seen + (3 if n else 0)
            self.rebuild.append(nn.Sequential(ResidualBlock(inputs), ResidualBlock(inputs)))
            self.to_image.append(_convolution(inputs, 3))
        self.up.append(_grown(inputs, w, 2, normed=True))
        seen = w + w // 8 + 6
        self.select.append(ResidualBlock(seen, k7))
        inputs = w + seen + w + 3 + 3
        self.finish = nn.Sequential(
            ResidualBlock(inputs, k5),
            _normed(inputs, w, k5),
            ResidualBlock(w),
            _normed(w, w // 2),
            _convolution(w // 2, 3),
            nn.Tanh(),
        )

    def forward(
        self, levels: list[Tensor], code: Tensor, faces: Tensor, local: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        half, quarter = F.avg_pool2d(faces, 2), F.avg_pool2d(faces, 4)
        start = F.relu(self.dense(code)).reshape(code.shape[0], -1, self.bottom, self.bottom)
        grown = [F.relu(self.grow[0](start))]
        for grow in list(self.grow)[1:]:
            grown.append(F.relu(grow(grown[-1])))
        x = self.rebuild16(torch.cat((start, levels[4]), 1))
        x = self.rebuild[0](torch.cat((F.relu(self.up[0](x)), self.select[0](levels[3])), 1))
        seen = self.select[1](torch.cat((levels[2], quarter, grown[0]), 1))
        x = self.rebuild[1](torch.cat((F.relu(self.up[1](x)), seen), 1))
        smallest = torch.tanh(self.to_image[0](x))
        seen = self.select[2](torch.cat((levels[1], half, grown[1]), 1))
        x = self.rebuild[2](torch.cat((F.relu(self.up[2](x)), seen, _twice(smallest)), 1))
        middle = torch.tanh(self.to_image[1](x))
        seen = self.select[3](torch.cat((levels[0], grown[2], faces), 1))
        beside = (F.relu(self.up[3](x)), seen, *local, _twice(middle))
        images: Tensor = self.finish(torch.cat([part.to(x.dtype) for part in beside], 1))
        return images, middle, smallest


class TwoPathways(nn.Module):
    """Face (B, 3, S, S) and noise z (B, latent) if any -> the face looking ahead (B, 3, S, S) in [-1, 1].

    `name` tells persons apart by the code, which training asks for. No kernel is wider than `largest`.
    """

    def __init__(
        self, size: int, patches: Mapping[str, Patch], *, width: int, latent: int, largest: int, persons: int
    ) -> None:
        super().__init__()
        self.size, self.patches = size, dict(patches)
        self.name = nn.Linear(4 * width, persons)
        self.encode = Encoder(size, width, largest)
        self.decode = Decoder(size, width, latent, largest)
        # The right eye's pathway sees the left eye too, since the turned face may hide its own.
        self.local = nn.ModuleDict(
            {part: LocalPathway(6 if part == "eye_right" else 3, width) for part in PARTS}
        )
        self.apply(initialise)

    def forward(self, source: Tensor, z: Tensor | None = None) -> Tensor:
        images: Tensor = self.stages(source, z)[0][0]
        return images

    def stages(
        self, source: Tensor, z: Tensor | None = None
    ) -> tuple[tuple[Tensor, Tensor, Tensor], dict[str, Tensor], Tensor]:
        """Faces at three sizes, the four parts' pictures, and the code (B, 4w) of the source."""
        faces = torch.cat((source, source.flip(-1)), 1)
        levels, code = self.encode(faces)
        seen = {part: cut(source, self.patches[part]) for part in PARTS}
        seen["eye_right"] = torch.cat((seen["eye_right"], seen["eye_left"]), 1)
        answers = {part: self.local[part](seen[part]) for part in PARTS}
        local = tuple(self._placed({part: answers[part][n] for part in PARTS}) for n in (0, 1))
        drawn = code if z is None else torch.cat((code, NOISE * z.to(code.dtype)), 1)
        images = self.decode(levels, drawn, faces, (local[0], local[1]))
        return images, {part: answers[part][1] for part in PARTS}, code

    def _placed(self, parts: Mapping[str, Tensor]) -> Tensor:
        # Each part in its place on an empty picture; where they overlap the larger value stays.
        placed = []
        for name, part in parts.items():
            left, top, wide, high = self.patches[name]
            placed.append(F.pad(part, (left, self.size - left - wide, top, self.size - top - high)))
        return torch.stack(placed).amax(0)


def cut(faces: Tensor, patch: Patch) -> Tensor:
    """The part (B, C, height, width) of faces that `patch` names."""
    left, top, wide, high = patch
    return faces[:, :, top : top + high, left : left + wide]


class FrontalDiscriminator(nn.Module):
    """Faces (B, 3, S, S) -> logits (B, S/32, S/32); `name` tells persons by the features beside them."""

    def __init__(self, width: int, persons: int, *, normed: bool = True) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(
            _convolution(3, w, 3, 2),
            nn.LeakyReLU(0.2),
            _normed(w, 2 * w, stride=2, normed=normed),
            _normed(2 * w, 4 * w, stride=2, normed=normed),
            _normed(4 * w, 8 * w, stride=2, normed=normed),
            ResidualBlock(8 * w, normed=normed),
            _normed(8 * w, 8 * w, stride=2, normed=normed),
            ResidualBlock(8 * w, normed=normed),
        )
        self.judge = nn.Conv2d(8 * w, 1, 1)
        self.name = nn.Linear(8 * w, persons)
        self.apply(initialise if normed else _scaled_to_inputs)

    def forward(self, faces: Tensor) -> Tensor:
        return self.answers(faces)[0]

    def answers(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and the features (B, 8w) that the person is told by."""
        deep = self.layers(faces)
        return self.judge(deep)[:, 0].float(), deep.float().mean((2, 3))  # (B, 1, h, w) -> (B, h, w)


def initialise(module: nn.Module) -> None:
    """N(0, 0.02) for every weight and 0 for biases, 0.1 for those of dense layers, as released."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.constant_(module.bias, 0.1 if isinstance(module, nn.Linear) else 0.0)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    if kernel % 2:
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
    # Even kernels see one pixel more to the right and below.
    return nn.Sequential(
        nn.ZeroPad2d((0, kernel - 1, 0, kernel - 1)), nn.Conv2d(inputs, outputs, kernel, stride)
    )


def _scaled_to_inputs(module: nn.Module) -> None:
    # He's, without which signals fade where no norm brings them back.
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, 0.2)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _normed(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, normed: bool = True
) -> nn.Sequential:
    norm = nn.BatchNorm2d(outputs) if normed else nn.Identity()
    return nn.Sequential(_convolution(inputs, outputs, kernel, stride), norm, nn.LeakyReLU(0.2))


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_grown(inputs, outputs, 2, normed=True), nn.LeakyReLU(0.2))


def _grown(inputs: int, outputs: int, factor: int, *, normed: bool = False) -> nn.Sequential:
    # Kernel 3: (H - 1) * factor - 2 * padding + 3 + output_padding = factor * H.
    padding = 1 if factor == 2 else 0
    up = nn.ConvTranspose2d(inputs, outputs, 3, factor, padding, output_padding=1)
    return nn.Sequential(up, *([nn.BatchNorm2d(outputs)] if normed else []))


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _twice(images: Tensor) -> Tensor:
    return F.interpolate(images, scale_factor=2.0, mode="bilinear", align_corners=False)
