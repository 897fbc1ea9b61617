"""Free-form inpainting with gated convolutions: a coarse and a fine stage (Yu et al. 2019, 1806.03589).

Follows the released code (JiahuiYu/generative_inpainting, `inpaint_model.py` and `inpaint.yml`) where the
paper leaves things open: 48 channels before the gate, 24 after it; L1 on both stages over the whole picture;
the hole united from a box and strokes. Its contextual attention, which has no weights, stands between two
layers of the fine stage; it copies patches by a convolution whose kernel is the picture itself, does not
export, and is left out, while the layers around it stay. TensorFlow pads strided layers behind alone.
The released critic looks at the whole picture; `local` adds a second one that sees a window around the
hole, the global and local critic of Iizuka et al. 2017 and of Yu et al. 2018 (1801.07892).

What ships hides a `band` of known pixels too, so that the network cannot see where it is cut; the membrane of
`networks/membrane.py` brings its error there into the hole. Without, the seam shows (`docs/training.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError
from generators.contract import Batch, Floor, Losses, Optimisation, Preset
from generators.data.masks import free_form
from generators.holes import HoleModel
from generators.losses.adversarial import LOSSES
from generators.networks.gated import Activation, GatedConv, composed, halvings, hidden
from generators.networks.membrane import harmonised, widened


@dataclass(frozen=True)
class Config:
    """`width` channels follow the first gate; `critic_levels` halvings lie before the critic's logits."""

    image_size: int = 64  # of the training crops; a multiple of 4, of 16 with `band`
    width: int = 24
    dilations: tuple[int, ...] = (2, 4, 8, 16)  # at a quarter of the size
    critic_width: int = 64
    critic_levels: int = 6
    local: int = 0  # the side in pixels of what the local critic sees, 0 for no such critic
    local_levels: int = 0
    reconstruction_weight: float = 1.0
    adversarial_weight: float = 1.0
    band: int = 0  # known pixels around the hole that are hidden as well, for the membrane; 0 for neither

    def __post_init__(self) -> None:
        step = 16 if self.band else 4
        if self.image_size % step or not 0 <= self.local <= self.image_size:
            raise UsageError(
                f"Crops of {self.image_size} px and a window of {self.local} do not go together.",
                f"Take an image_size that is a multiple of {step} and a local that is no larger.",
            )


PRESETS = {
    "published": Preset(
        config=Config(image_size=256),
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-4,
            discriminator_lr=1e-4,
            ema_half_life_images=0.0,
            total_images=16_000_000,
        ),
        data="photos",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        # A third of the width and a quarter of the side see tens of thousands of crops in the budget; the
        # critics lose the halvings that the smaller side has no pixels for. In such crops the outer taps of
        # the widest dilations would only ever see the padding, and fill larger pictures with noise.
        config=Config(
            width=8,
            dilations=(2, 4, 4, 2),
            critic_width=16,
            critic_levels=4,
            local=32,
            local_levels=3,
            adversarial_weight=0.02,
            band=4,
        ),
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            betas=(0.5, 0.99),
            ema_half_life_images=1_000.0,
            precision="bf16",
            total_images=12_000,
            decay_from=0.5,
        ),
        data="photos",
        budget_minutes=10.0,
        floors=(
            Floor("changed_pixels", most=0),
            Floor("seam_ratio", most=1.2),
            Floor("hole_l1_ratio", most=0.75),
            Floor("fid_ratio", most=0.3),
        ),
    ),
    "smoke": Preset(
        config=Config(
            image_size=32, width=2, critic_width=4, critic_levels=3, local=16, local_levels=2, band=2
        ),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="photos",
        budget_minutes=0.1,
    ),
}


class Generator(nn.Module):
    """image (B, 3, H, W), mask (B, 1, H, W) -> the hole filled; H and W in fours, with `band` in sixteens."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, self.band = config.width, config.band
        self.coarse = nn.Sequential(
            *_down(5, width, (2, 2, 4)), *_dilated(width, config.dilations), *_up(4 * width, width)
        )
        self.branch = nn.Sequential(*_down(3, width, (1, 2, 2)), *_dilated(width, config.dilations))
        # The branch that attends, without attention; its features are kept positive for the comparison.
        self.attending = nn.Sequential(
            *_down(3, width, (1, 2, 4), last=F.relu),
            GatedConv(4 * width, 4 * width),
            GatedConv(4 * width, 4 * width),
        )
        self.fine = nn.Sequential(*_up(8 * width, width))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return composed(self.stages(image, mask)[1], image, mask)

    def stages(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What both stages make of the whole picture, hole or not."""
        wide = widened(mask, self.band) if self.band else mask
        known = hidden(image, wide)
        coarse = torch.tanh(self.coarse(torch.cat((known, torch.ones_like(wide), wide), 1)))
        pasted = composed(coarse, known, wide)
        fine = torch.tanh(self.fine(torch.cat((self.branch(pasted), self.attending(pasted)), 1)))
        return coarse, harmonised(fine, image, mask) if self.band else fine


class Critic(nn.Module):
    """SN-PatchGAN: picture and mask -> a logit for each place; with `local`, those of a window as well."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.side = config.local
        widths = [config.critic_width * factor for factor in (1, 2, 4, 4, 4, 4)]
        self.whole = halvings(4, widths[: config.critic_levels])
        self.window = halvings(4, widths[: config.local_levels]) if self.side else None

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        pair = torch.cat((images, masks), 1)
        logits: Tensor = self.whole(pair).flatten(1).float()  # (B, C, h, w) -> (B, C*h*w)
        if self.window is None:
            return logits
        near = self.window(windows(pair, masks, self.side)).flatten(1).float()
        return torch.cat((logits, near), 1)


class Inpainting(HoleModel):
    """Gated convolutions in two stages against one or two spectrally normed critics."""

    name = "inpainting"
    paper = "Yu et al. 2019, Free-Form Image Inpainting with Gated Convolution, arXiv 1806.03589"
    tags: ClassVar[dict[str, str]] = {"upsampler": "nearest", "normalisation": "none", "loss": "hinge"}

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.generator = Generator(config)
        self.discriminator = Critic(config)

    def masks(self, count: int, rng: torch.Generator) -> Tensor:
        return free_form(count, *self.image_shape[1:], rng)

    def judged(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(images, masks)
        return logits

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        masks = self.masks(batch.size, rng)
        with torch.no_grad():
            fakes = self.generator(batch.images, masks)
        real, fake = self.discriminator(batch.images, masks), self.discriminator(fakes, masks)
        # The released hinge is the mean of both halves.
        total = 0.5 * LOSSES["hinge"].discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        assert isinstance(self.generator, Generator)
        masks = self.masks(batch.size, rng)
        coarse, fine = self.generator.stages(batch.images, masks)
        logits = self.discriminator(composed(fine, batch.images, masks), masks)
        adversarial = LOSSES["hinge"].generator(logits, logits)
        distance = F.l1_loss(coarse.float(), batch.images) + F.l1_loss(fine.float(), batch.images)
        weights = self.config
        total = weights.reconstruction_weight * distance + weights.adversarial_weight * adversarial
        return Losses(total, {"l1": distance, "adversarial": adversarial})


def windows(pictures: Tensor, masks: Tensor, side: int) -> Tensor:
    """(B, C, side, side): of each picture what lies around the middle of its hole, inside its borders."""
    cut = []
    for picture, mask in zip(pictures, masks[:, 0], strict=True):
        corner = []
        for axis in (0, 1):
            weight = mask.sum(1 - axis)
            places = torch.arange(len(weight), device=weight.device, dtype=weight.dtype)
            middle = float((weight * places).sum() / weight.sum().clamp(min=1))
            corner.append(min(max(round(middle) - side // 2, 0), len(weight) - side))
        top, left = corner
        cut.append(picture[:, top : top + side, left : left + side])
    return torch.stack(cut)


def _down(inputs: int, width: int, wider: tuple[int, int, int], last: Activation = F.elu) -> list[nn.Module]:
    """Six layers to a quarter of the size; `wider` are the widths at the two halvings and between them."""
    first, middle, second = (width * factor for factor in wider)
    return [
        GatedConv(inputs, width, 5),
        GatedConv(width, first, stride=2),
        GatedConv(first, middle),
        GatedConv(middle, second, stride=2),
        GatedConv(second, 4 * width),
        GatedConv(4 * width, 4 * width, activation=last),
    ]


def _dilated(width: int, dilations: tuple[int, ...]) -> list[nn.Module]:
    return [GatedConv(4 * width, 4 * width, dilation=dilation) for dilation in dilations]


def _up(inputs: int, width: int) -> list[nn.Module]:
    """Two layers at a quarter of the size, two doublings, and the last layer without gate."""
    return [
        GatedConv(inputs, 4 * width),
        GatedConv(4 * width, 4 * width),
        GatedConv(4 * width, 2 * width, up="nearest"),
        GatedConv(2 * width, 2 * width),
        GatedConv(2 * width, width, up="nearest"),
        GatedConv(width, width // 2),
        nn.Conv2d(width // 2, 3, 3, padding=1),
    ]
