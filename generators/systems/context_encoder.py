"""Context encoder: the middle of a picture, told from around it (Pathak et al. 2016, 1604.07379).

Follows the released code (pathak22/context-encoder, `train.lua` with the options of its README: bottleneck
4000, L2 at 0.999, overlap 4), not the paper, whose bottleneck has channel-wise dense layers and whose overlap
is 7. It sets the biases of all convolutions to 0 before each step, so there are none here. A hole is hidden
`overlap` pixels narrower than what is predicted; where both are known, the error counts ten times.

The network answers for the central square alone: what a mask marks beyond it repeats the square's border.

What ships departs once: its error in the overlap is brought into the hole by the membrane of
`networks/membrane.py`, and its critic sees the filled square. Without, the seam shows (`docs/training.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError
from generators.contract import Batch, Floor, Losses, Optimisation, Preset
from generators.data.masks import central_masks
from generators.holes import HoleModel
from generators.losses.adversarial import LOSSES
from generators.networks.gated import composed
from generators.networks.membrane import harmonised

MEAN_COLOUR = (117, 104, 123)  # what fills the hole, as released
BAND_WEIGHT = 10.0


@dataclass(frozen=True)
class Config:
    """`hole` pixels a side are predicted; `width` channels follow the first convolution of each network."""

    image_size: int = 128  # a power of two from 16
    hole: int = 64  # a power of two from 8, at most half of image_size
    overlap: int = 4
    width: int = 64
    bottleneck: int = 4000
    reconstruction_weight: float = 0.999  # the adversarial loss has the rest of 1
    membrane: bool = False  # whether the error in the overlap is brought into the hole

    def __post_init__(self) -> None:
        powers = self.image_size.bit_count() == 1 and self.hole.bit_count() == 1
        least, known = (16, 1) if self.membrane else (8, 0)
        fits = least <= self.hole <= self.image_size // 2 and known <= self.overlap < self.hole / 2
        if not (powers and fits):
            raise UsageError(
                f"hole={self.hole} with overlap={self.overlap} cannot lie in image_size={self.image_size}.",
                f"Take powers of two, hole from {least} to half of that, overlap from {known} to below half.",
            )


PRESETS = {
    "published": Preset(
        config=Config(),
        # The generator's rate is ten times the critic's, as the code has it wherever L2 takes part.
        optimisation=Optimisation(
            batch=64,
            generator_lr=2e-3,
            discriminator_lr=2e-4,
            ema_half_life_images=0.0,
            total_images=7_500_000,  # 500 epochs of the 15 000 pictures of Paris StreetView
        ),
        data="faces-lfw",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        # Both dense layers shrink with the bottleneck, which holds 92 of every 100 published weights.
        config=Config(width=24, bottleneck=256, reconstruction_weight=0.998, membrane=True),
        optimisation=Optimisation(
            batch=32,
            generator_lr=2e-3,
            discriminator_lr=2e-4,
            ema_half_life_images=2_000.0,
            precision="bf16",
            total_images=60_000,
            decay_from=0.5,
        ),
        data="faces-lfw+faces-celeba",
        budget_minutes=9.0,
        floors=(
            Floor("changed_pixels", most=0),
            Floor("seam_ratio", most=1.2),
            Floor("hole_l1_ratio", most=0.75),
            Floor("fid_ratio", most=0.3),
        ),
    ),
    "smoke": Preset(
        config=Config(image_size=32, hole=16, overlap=2, width=4, bottleneck=16, membrane=True),
        optimisation=Optimisation(
            batch=4, generator_lr=2e-3, discriminator_lr=2e-4, ema_half_life_images=32.0, total_images=32
        ),
        data="faces-lfw",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """image (B, 3, S, S) and mask (B, 1, S, S) -> the picture with its hole filled."""

    mean: Tensor
    centre: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, hole = config.image_size, config.hole
        self.margin, self.membrane = (size - hole) // 2, config.membrane
        colour = torch.tensor(MEAN_COLOUR).reshape(1, 3, 1, 1) / 127.5 - 1
        self.register_buffer("mean", colour, persistent=False)
        centre = central_masks(1, size, size, hole - 2 * config.overlap)
        self.register_buffer("centre", centre, persistent=False)

        narrowing = [config.width, *_widths(config.width, size.bit_length() - 4)]
        layers: list[nn.Module] = [_conv(3, narrowing[0]), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(narrowing):
            layers += [_conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        layers += [
            nn.Conv2d(narrowing[-1], config.bottleneck, 4, bias=False),
            nn.BatchNorm2d(config.bottleneck),
            nn.LeakyReLU(0.2),
        ]
        widening = _widths(config.width, hole.bit_length() - 3)[::-1]
        layers += [nn.ConvTranspose2d(config.bottleneck, widening[0], 4, bias=False)]
        for inputs, outputs in pairwise((*widening, 3)):
            layers += [nn.BatchNorm2d(inputs), nn.ReLU()]
            layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(_initialise)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        spread = F.pad(self.patch(image, mask).float(), [self.margin] * 4, mode="replicate")
        return composed(harmonised(spread, image, mask) if self.membrane else spread, image, mask)

    def patch(self, image: Tensor, mask: Tensor) -> Tensor:
        """What lies in the central square (B, 3, hole, hole), whatever else the mask hides."""
        hole = torch.maximum(mask, self.centre)
        predicted: Tensor = self.layers(torch.where(hole > 0.5, self.mean, image))
        return predicted


class Discriminator(nn.Module):
    """Central square (B, 3, hole, hole) -> logit (B,), as DCGAN's."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = _widths(config.width, config.hole.bit_length() - 3)
        layers: list[nn.Module] = [_conv(3, widths[0]), nn.LeakyReLU(0.2)]
        for inputs, outputs in pairwise(widths):
            layers += [_conv(inputs, outputs), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, bias=False))
        self.apply(_initialise)

    def forward(self, patches: Tensor) -> Tensor:
        logits: Tensor = self.layers(patches)
        return logits.flatten().float()  # (B, 1, 1, 1) -> (B,)


class ContextEncoder(HoleModel):
    """An encoder down to a vector and a decoder of the central square."""

    name = "context_encoder"
    paper = "Pathak et al. 2016, Context Encoders: Feature Learning by Inpainting, arXiv 1604.07379"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k4s2",
        "normalisation": "batch",
        "loss": "bce",
    }

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)

    def dynamic_axes(self) -> tuple[str, ...]:
        return ("batch",)

    def masks(self, count: int, rng: torch.Generator) -> Tensor:
        hidden = self.config.hole - 2 * self.config.overlap
        return central_masks(count, *self.image_shape[1:], hidden).to(rng.device)

    def judged(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(self.central(images))
        return logits

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            _, fakes = self._patches(batch, rng)
        real, fake = self.discriminator(self.central(batch.images)), self.discriminator(fakes)
        total = LOSSES["bce"].discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        patches, seen = self._patches(batch, rng)
        logits = self.discriminator(seen)
        adversarial = LOSSES["bce"].generator(logits, logits)
        error = (patches.float() - self.central(batch.images)).square()
        distance = (error * self.band_weights(error.device)).mean()
        share = self.config.reconstruction_weight
        total = share * distance + (1 - share) * adversarial
        return Losses(total, {"l2": distance, "adversarial": adversarial})

    def central(self, images: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, C, hole, hole), the square that is predicted."""
        start = (self.config.image_size - self.config.hole) // 2
        return images[:, :, start:-start, start:-start]

    def band_weights(self, device: torch.device) -> Tensor:
        """(1, 1, hole, hole): ten where prediction and known pixels overlap, one elsewhere."""
        hole, inner = self.config.hole, self.config.hole - 2 * self.config.overlap
        unknown = central_masks(1, hole, hole, inner).to(device)
        return unknown + BAND_WEIGHT * (1 - unknown)

    def _patches(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The central square as the generator makes it, and as the critic sees it."""
        assert isinstance(self.generator, Generator)
        masks = self.masks(batch.size, rng)
        made = self.generator.patch(batch.images, masks)
        if not self.config.membrane:
            return made, made
        truth, hole = self.central(batch.images), self.central(masks)
        made = harmonised(made, truth, hole)
        return made, composed(made, truth, hole)


def _widths(width: int, levels: int) -> list[int]:
    return [width * 2**n for n in range(levels)]


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)


def _initialise(module: nn.Module) -> None:
    # N(0, 0.02), as DCGAN, from which the released code comes.
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
