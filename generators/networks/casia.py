"""DR-GAN's networks: the CASIA encoder, its mirror image as decoder, and a decoder that turns what it saw.

Yi et al. 2014 (1411.7923) drew the encoder; Tran et al. 2017 (CVPR, section 3.4) mirror it. Layers as in
kayamin/DR-GAN: 3x3 throughout, batch norm and ELU after each, no bias before a norm.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.networks.turning import looked_up, lookup

# Channels of each stage, the first convolution of all but the first stage halves the side.
STAGES = ((32, 64), (64, 64, 128), (128, 96, 192), (192, 128, 256), (256, 160, 320))


class Trunk(nn.Module):
    """Faces (B, C, S, S) -> identity features (B, `features`), the mean over what is left of the picture.

    `share` scales all widths. Without `normed` biases stand for batch norm, and first weights are He's.
    """

    def __init__(self, channels: int = 3, *, share: float = 1.0, normed: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = channels
        for stage, widths in enumerate(STAGES):
            for n, width in enumerate(widths):
                outputs = _scaled(width, share)
                stride = 2 if stage and n == 0 else 1
                layers += _layers(inputs, outputs, stride, normed=normed)
                inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.features = inputs
        if normed:
            self.apply(initialise)
        else:
            for layer in layers[::2]:
                nn.init.kaiming_normal_(cast(nn.Conv2d, layer).weight)

    def forward(self, faces: Tensor) -> Tensor:
        features: Tensor = self.layers(faces).float().mean((2, 3))  # (B, F, S/16, S/16) -> (B, F)
        return features


class MirroredDecoder(nn.Module):
    """Code (B, `code`) -> face (B, C, S, S) in [-1, 1]: a dense layer, then the encoder backwards."""

    def __init__(self, code: int, size: int, channels: int = 3, *, share: float = 1.0) -> None:
        super().__init__()
        self.side = size // 16
        inputs = _scaled(STAGES[-1][-1], share)
        self.dense = nn.Linear(code, inputs * self.side**2)
        widths = [_scaled(width, share) for stage in STAGES for width in stage][-2::-1]
        doubled = _doublings()
        layers: list[nn.Module] = []
        for n, outputs in enumerate(widths):
            double = n in doubled
            stride, beyond = (2, 1) if double else (1, 0)
            up = nn.ConvTranspose2d(inputs, outputs, 3, stride, 1, output_padding=beyond, bias=False)
            layers += [up, nn.BatchNorm2d(outputs), nn.ELU()]
            inputs = outputs
        layers += [nn.ConvTranspose2d(inputs, channels, 3, 1, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, code: Tensor) -> Tensor:
        square = self.dense(code).reshape(code.shape[0], -1, self.side, self.side)  # (B, F) -> (B, C, h, h)
        images: Tensor = self.layers(square)
        return images


class Turned(NamedTuple):
    """Faces (B, 3, S, S), the yaw (B,) their sources are taken to have, and how much is seen, not painted."""

    faces: Tensor
    estimated: Tensor
    share: Tensor  # (B, 1, S, S) in [0, 1]


class TurningNetwork(nn.Module):
    """Source (B, C, S, S) and yaw code (B, `bins`) -> face (B, C, S, S): what was seen, turned, and painted.

    The mean head moves the source's pixels and features to the new view (`turning.py`), a learned field
    corrects where they are looked up, and the decoder paints what the source does not show. Needs the
    yaw of the source (B,), which a head on the encoder estimates (`estimated`).
    """

    def __init__(self, bins: int, channels: int = 3, *, width: int, identity: int) -> None:
        super().__init__()
        w = width
        self.enter = _block(channels, w)
        self.down = nn.ModuleList(_block(w * 2**n, w * 2 ** (n + 1), 2) for n in range(3))
        self.identity = nn.Linear(8 * w, identity)
        self.estimate = nn.Linear(8 * w * 16, 1)
        self.bottom = _block(8 * w + identity + bins, 8 * w)
        self.up = nn.ModuleList(_block(8 * w // 2**n, 4 * w // 2**n) for n in range(3))
        # Beside its own features each level has the encoder's of that size, moved to the new view.
        self.join = nn.ModuleList(_block(8 * w // 2**n, 4 * w // 2**n) for n in range(2))
        self.field = nn.Conv2d(4 * w, 2, 3, padding=1)
        self.paint = nn.Sequential(_block(2 * w + channels, w), nn.Conv2d(w, channels + 1, 3, padding=1))
        self.apply(initialise)
        nn.init.zeros_(self.field.weight)

    def forward(self, source: Tensor, yaw: Tensor, code: Tensor) -> Turned:
        """The face at `yaw` (B,) in degrees."""
        levels = [self.enter(source)]
        for layer in self.down:
            levels.append(layer(levels[-1]))
        deep = levels[-1]  # (B, 8w, S/8, S/8)
        estimated = self.estimated(deep)
        person = F.elu(self.identity(deep.float().mean((2, 3))))
        plan = torch.cat((person, code), 1)[:, :, None, None].expand(-1, -1, *deep.shape[2:])
        # The yaw of the source is taken as known: the picture's error must not bend the estimate.
        places = lookup(estimated.detach(), yaw, source.shape[-1])
        x = self.bottom(torch.cat((deep, plan.to(deep.dtype)), 1))
        x = self.up[0](_double(x))  # (B, 4w, S/4, S/4)
        moved = 0.15 * torch.tanh(self.field(x).float())  # of half the picture's side
        field = F.interpolate(moved, size=source.shape[2:], mode="bilinear", align_corners=False)
        places = places + field.permute(0, 2, 3, 1)
        for n, seen in enumerate((levels[2], levels[1])):
            if n:
                x = self.up[n](_double(x))
            coarse = F.avg_pool2d(places.permute(0, 3, 1, 2), source.shape[-1] // seen.shape[-1])
            beside = looked_up(seen, coarse.permute(0, 2, 3, 1))
            x = self.join[n](torch.cat((x, beside.to(x.dtype)), 1))
        x = self.up[2](_double(x))
        fine = looked_up(torch.cat((levels[0].float(), source.float()), 1), places)
        painted = self.paint(torch.cat((x, fine.to(x.dtype)), 1)).float()
        turned = fine[:, levels[0].shape[1] :]
        # To begin with nearly all is what was seen; what the source hides has to be learned.
        share = torch.sigmoid(painted[:, -1:] + 3)
        return Turned(share * turned + (1 - share) * torch.tanh(painted[:, :-1]), estimated, share)

    def estimated(self, deep: Tensor) -> Tensor:
        """The yaw (B,) in degrees of the face whose features (B, 8w, h, h) these are."""
        pooled = F.adaptive_avg_pool2d(deep.float(), 4).flatten(1)
        yaw: Tensor = 45 * self.estimate(pooled)[:, 0]
        return yaw


class PoseCode:
    """Yaw as nearness to `bins` poses at even distances from -`furthest` to `furthest` degrees."""

    def __init__(self, bins: int, furthest: float) -> None:
        self.bins, self.furthest = bins, furthest

    def __call__(self, yaw: Tensor) -> Tensor:
        """yaw (B,) -> (B, bins): one-hot on a bin, shared by two between bins, always of sum 1."""
        step = 2 * self.furthest / (self.bins - 1)
        poses = torch.arange(self.bins, device=yaw.device) * step - self.furthest
        within = yaw.float().clamp(-self.furthest, self.furthest)
        return F.relu(1 - (within[:, None] - poses).abs() / step)


class PoseGenerator(nn.Module):
    """source (B, 3, S, S), yaw (B,) in degrees and noise z (B, latent) if any -> face (B, 3, S, S).

    With `turning`, the width and the identity features of a turning network, that network; else the
    paper's encoder and decoder, at the share `share` of their widths.
    """

    def __init__(
        self, size: int, pose: PoseCode, *, latent: int, share: float, turning: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.pose, self.turning = pose, turning is not None
        if turning is not None:
            self.turn = TurningNetwork(pose.bins, width=turning[0], identity=turning[1])
        else:
            self.encode = Trunk(share=share)
            self.decode = MirroredDecoder(self.encode.features + pose.bins + latent, size, share=share)

    def forward(self, source: Tensor, yaw: Tensor, z: Tensor | None = None) -> Tensor:
        pose = self.pose(yaw)
        if self.turning:
            turned: Tensor = self.turn(source, yaw, pose).faces
            return turned
        code = [self.encode(source), pose] if z is None else [self.encode(source), pose, z]
        faces: Tensor = self.decode(torch.cat(code, 1))
        return faces

    def turned(self, source: Tensor, yaw: Tensor) -> Turned:
        """What the turning network says, where there is one."""
        answer: Turned = self.turn(source, yaw, self.pose(yaw))
        return answer


class PoseDiscriminator(nn.Module):
    """Faces (B, 3, S, S) -> logits (B, persons + 1 + bins): who it is, whether it is real, its pose."""

    def __init__(self, persons: int, bins: int, *, share: float, normed: bool = True) -> None:
        super().__init__()
        self.trunk = Trunk(share=share, normed=normed)
        self.head = nn.Linear(self.trunk.features, persons + 1 + bins)
        initialise(self.head)

    def forward(self, faces: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(faces))
        return logits.float()


def initialise(module: nn.Module) -> None:
    """N(0, 0.02) for every weight and 0 for biases, as DR-GAN."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_layers(inputs, outputs, stride))


def _layers(inputs: int, outputs: int, stride: int, *, normed: bool = True) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not normed)
    return [conv, nn.BatchNorm2d(outputs), nn.ELU()] if normed else [conv, nn.ELU()]


def _doublings() -> set[int]:
    # The layer that undoes a halving one: counted from the last stage backwards.
    counts = [len(stage) for stage in STAGES[:0:-1]]  # 3, 3, 3, 3
    return {sum(counts[: n + 1]) - 1 for n in range(len(counts))}


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _scaled(width: int, share: float) -> int:
    return max(1, round(width * share))
