"""Outpainting: a picture continued beyond one of its sides (Boundless, Teterwak et al. 2019, 1908.07007).

Layers of the paper's supplementary table, read with recong/Boundless-in-Pytorch where it is silent: gated
convolutions with ELU and instance norm, skips by addition, bilinear doublings. The paper extends to the
right and makes a quarter, half or three quarters of the picture; here any of the four sides is drawn.
Its critic takes the inner product of its features with an embedding of the photograph's Inception logits;
no foreign network belongs in here, so the embedding is of the photograph's own 4 x 4 thumbnail.
Pictures are extended farther than in training strip by strip, each with what then lies beside it.

What ships departs twice. It has no instance norm, whose means take in the hidden part and all of the picture:
the answer then hangs on how large a picture is shown. And `band` hides a band of known pixels besides, so
that the network cannot see where it is cut; the membrane of `networks/membrane.py` brings its error there
into the hole. Without, the seam shows (`docs/training.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from evidence.errors import UsageError
from generators.contract import Batch, Floor, Losses, Optimisation, Preset, Task
from generators.data.masks import side_masks
from generators.holes import HoleModel
from generators.losses.adversarial import LOSSES
from generators.networks.gated import GatedConv, composed, halvings, hidden
from generators.networks.membrane import harmonised, widened

THUMBNAIL = 4


@dataclass(frozen=True)
class Config:
    """`width` channels follow the generator's first layer, `critic_width` the critic's."""

    image_size: int = 256  # of the training crops; a power of two from 8
    width: int = 32
    dilations: tuple[int, ...] = (2, 4, 8, 16)  # at a quarter of the size
    critic_width: int = 64
    adversarial_weight: float = 0.01
    normed: bool = True  # instance norm after each gate
    band: int = 0  # known pixels around the hole that are hidden as well, for the membrane; 0 for neither

    def __post_init__(self) -> None:
        least = 16 if self.band else 8
        if self.image_size < least or self.image_size.bit_count() != 1:
            raise UsageError(
                f"The critic or the membrane cannot halve {self.image_size} px as often as they must.",
                f"Take an image_size that is a power of two, from {least}.",
            )


PRESETS = {
    "published": Preset(
        config=Config(),  # 257 px in the paper; at 256 every size halves exactly
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-4,
            discriminator_lr=1e-3,
            betas=(0.5, 0.9),
            ema_half_life_images=0.0,
            total_images=16_000_000,
        ),
        data="photos",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        # A third of the width and a quarter of the side see tens of thousands of crops in the budget; so
        # short a run needs the generator's higher rate. In such crops the outer taps of the widest dilations
        # would only ever see the padding, and fill larger pictures with noise. At an adversarial weight of
        # 0.05 without R1, which the paper lacks, 6 400 crops gave stripes in colours of no photograph.
        config=Config(
            image_size=64,
            width=12,
            dilations=(2, 4, 4, 2),
            critic_width=12,
            adversarial_weight=0.01,
            normed=False,
            band=4,
        ),
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-3,
            discriminator_lr=1e-3,
            betas=(0.5, 0.9),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=4,
            ema_half_life_images=1_000.0,
            precision="bf16",
            total_images=12_000,
            decay_from=0.5,
        ),
        data="photos",
        budget_minutes=9.0,
        floors=(
            Floor("changed_pixels", most=0),
            Floor("seam_ratio", most=1.2),
            Floor("hole_l1_ratio", most=0.9),
            Floor("fid_ratio", most=0.3),
        ),
    ),
    "smoke": Preset(
        config=Config(image_size=32, width=4, critic_width=4, normed=False, band=2),
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
        gated = partial(GatedConv, normed=config.normed)
        self.at_1 = gated(5, width, 5)
        self.at_2 = gated(width, 2 * width, stride=2)
        self.at_2_again = gated(2 * width, 2 * width)
        self.at_4 = gated(2 * width, 4 * width, stride=2)
        self.at_4_again = gated(4 * width, 4 * width)
        self.middle = nn.Sequential(
            gated(4 * width, 4 * width),
            *(gated(4 * width, 4 * width, dilation=dilation) for dilation in config.dilations),
            gated(4 * width, 4 * width),
        )
        self.after_4 = gated(4 * width, 4 * width)
        self.up_2 = gated(4 * width, 2 * width, up="bilinear")
        self.after_2 = gated(2 * width, 2 * width)
        self.up_1 = gated(2 * width, width, up="bilinear")
        self.last = nn.Sequential(gated(width, width // 2), nn.Conv2d(width // 2, 3, 3, padding=1))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return composed(self.whole(image, mask), image, mask)

    def whole(self, image: Tensor, mask: Tensor) -> Tensor:
        """What is made of the whole picture, hole or not."""
        if self.band:
            made = harmonised(self._made(image, widened(mask, self.band)), image, mask)
        else:
            made = self._made(image, mask)
        # A clamp has no gradient outside its range, so training sees the bare value.
        return made if self.training else made.clamp(-1, 1)

    def _made(self, image: Tensor, mask: Tensor) -> Tensor:
        full = self.at_1(torch.cat((hidden(image, mask), torch.ones_like(mask), mask), 1))
        half = self.at_2(full)
        half_again = self.at_2_again(half)
        quarter = self.at_4(half_again)
        quarter_again = self.at_4_again(quarter)
        x = self.after_4(self.middle(quarter_again) + quarter_again) + quarter
        x = self.after_2(self.up_2(x) + half_again) + half
        made: Tensor = self.last(self.up_1(x) + full)
        return made


class Critic(nn.Module):
    """Picture, mask and photograph -> logit (B,), by projection onto an embedding of the photograph."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.critic_width * min(2**n, 4) for n in range(config.image_size.bit_length() - 3)]
        features = widths[-1]
        self.layers = nn.Sequential(
            halvings(4, widths), spectral_norm(nn.Conv2d(features, features, 4)), nn.LeakyReLU(0.2)
        )
        self.embed = nn.Linear(3 * THUMBNAIL**2, features, bias=False)
        self.head = nn.Linear(features, 1, bias=False)

    def forward(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        features = self.layers(torch.cat((images, masks), 1)).flatten(1)  # (B, C, 1, 1) -> (B, C)
        thumbnail = F.adaptive_avg_pool2d(truth, THUMBNAIL).flatten(1)  # (B, 3, H, W) -> (B, 48)
        logits: Tensor = self.head(features)[:, 0] + (features * self.embed(thumbnail)).sum(1)
        return logits.float()


class Outpainting(HoleModel):
    """Gated convolutions with skips against a critic that knows what the photograph looked like."""

    name = "outpainting"
    paper = "Teterwak et al. 2019, Boundless: Generative Adversarial Networks for Image Extension, 1908.07007"
    tags: ClassVar[dict[str, str]] = {"upsampler": "bilinear", "normalisation": "instance", "loss": "hinge"}

    task: ClassVar[Task] = "outpainting"
    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.generator = Generator(config)
        self.discriminator = Critic(config)

    def fingerprint(self) -> dict[str, str]:
        return self.tags | {"normalisation": "instance" if self.config.normed else "none"}

    def masks(self, count: int, rng: torch.Generator) -> Tensor:
        return side_masks(count, *self.image_shape[1:], rng)

    def judged(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        logits: Tensor = self.discriminator(images, masks, truth)
        return logits

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        masks = self.masks(batch.size, rng)
        with torch.no_grad():
            fakes = self.generator(batch.images, masks)
        real, fake = (self.judged(images, masks, batch.images) for images in (batch.images, fakes))
        total = LOSSES["hinge"].discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        assert isinstance(self.generator, Generator)
        masks = self.masks(batch.size, rng)
        made = self.generator.whole(batch.images, masks)
        logits = self.judged(composed(made, batch.images, masks), masks, batch.images)
        adversarial = LOSSES["hinge"].generator(logits, logits)
        distance = F.l1_loss(made.float(), batch.images)
        total = distance + self.config.adversarial_weight * adversarial
        return Losses(total, {"l1": distance, "adversarial": adversarial})
