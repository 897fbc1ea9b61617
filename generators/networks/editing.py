"""The editor of GANimation, which gives a face other action units by colour and attention, and its critic.

Layers as in Pumarola et al. 2018 (1807.09251) and albertpumarola/GANimation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError
from generators.networks.patch import initialise


class FaceEditor(nn.Module):
    """A face (B, 3, H, W) and the units (B, U) it shall show -> that face in [-1, 1]; H, W multiples of 4.

    As released, the units are constant planes beside the picture and the net draws a new face. The `quick`
    form learns in minutes: units are gain and shift of the blocks' norms, since of a constant plane the first
    instance norm leaves next to nothing; and the net draws, at half the side, what is added to the face it is
    given. At the whole side it would first find the dots that make the critic read any unit.
    """

    def __init__(self, *, width: int, blocks: int, units: int, quick: bool) -> None:
        super().__init__()
        self.quick = quick
        inputs = 3 if quick else 3 + units
        self.down = nn.Sequential(
            *_normed(nn.Conv2d(inputs, width, 7, 1, 3, bias=False), width),
            *_normed(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), 2 * width),
            *_normed(nn.Conv2d(2 * width, 4 * width, 4, 2, 1, bias=False), 4 * width),
        )
        self.blocks = nn.ModuleList(Residual(4 * width, units if quick else 0) for _ in range(blocks))
        ups = _normed(nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False), 2 * width)
        if not quick:
            ups += _normed(nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), width)
        self.up = nn.Sequential(*ups)
        last = 2 * width if quick else width
        self.colour = nn.Conv2d(last, 3, 7, 1, 3, bias=False)
        self.attention = nn.Conv2d(last, 1, 7, 1, 3, bias=False)
        if quick:
            nn.init.normal_(self.colour.weight, 0.0, 0.002)  # hardly an edit to begin with
        else:
            self.apply(initialise)

    def forward(self, image: Tensor, units: Tensor) -> Tensor:
        return self.edited(image, units)[0]

    def edited(self, image: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        """The new face, and the attention (B, 1, H, W): the share of each pixel kept of the old one."""
        x = image
        if not self.quick:
            spread = units[:, :, None, None].expand(-1, -1, *image.shape[2:])
            x = torch.cat((image, spread), 1)  # (B, 3, H, W) -> (B, 3 + U, H, W)
        x = self.down(x)
        for block in self.blocks:
            x = block(x, units)
        x = self.up(x)
        attention = self.attention(x).float().sigmoid()
        colour = self.colour(x).float()
        if not self.quick:
            return attention * image + (1 - attention) * colour.tanh(), attention
        attention, colour = (
            F.interpolate(drawn, scale_factor=2.0, mode="bilinear") for drawn in (attention, colour)
        )
        # A clamp has no gradient outside its range, so training sees the bare sum.
        edited = image + (1 - attention) * colour
        return (edited if self.training else edited.clamp(-1, 1)), attention


class FaceCritic(nn.Module):
    """Faces (B, 3, S, S) -> a score for each patch (B, h, w), and the units (B, U) they show; no norm."""

    def __init__(self, size: int, *, width: int, layers: int, units: int, quick: bool) -> None:
        super().__init__()
        if not size >> layers:
            raise UsageError(
                f"A critic of discriminator_layers={layers} cannot halve {size} px as often.",
                f"Take discriminator_layers of {size.bit_length() - 1} at most, or a larger image_size.",
            )
        stages: list[nn.Module] = []
        inputs = 3
        for n in range(layers):
            outputs = width * 2**n
            stages += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01)]
            inputs = outputs
        self.layers = nn.Sequential(*stages)
        self.patches = nn.Conv2d(inputs, 1, 3, 1, 1, bias=False)
        self.units = nn.Conv2d(inputs, units, size // 2**layers, bias=False)
        self.apply(_he if quick else initialise)
        if quick:
            nn.init.zeros_(self.units.weight)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layers(images)
        return self.patches(x)[:, 0].float(), self.units(x)[:, :, 0, 0].float()


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), 3x3; `units` set the first norm's gain and shift, if any."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, 1, 1, bias=False) for _ in range(2))
        self.first_norm = nn.InstanceNorm2d(width, affine=not units)
        self.second_norm = nn.InstanceNorm2d(width, affine=True)
        self.style = nn.Linear(units, 2 * width) if units else None

    def forward(self, x: Tensor, units: Tensor) -> Tensor:
        inner = self.first_norm(self.first(x))
        if self.style is not None:
            gain, shift = self.style(units)[:, :, None, None].chunk(2, 1)
            inner = inner * (1 + gain) + shift
        out: Tensor = x + self.second_norm(self.second(F.relu(inner)))
        return out


def _normed(layer: nn.Module, width: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(width, affine=True), nn.ReLU()]


def _he(layer: nn.Module) -> None:
    # N(0, 0.02) lets next to nothing through narrow layers without norms.
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, 0.01)
