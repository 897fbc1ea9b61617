"""pix2pix: a picture from its label map or its edges, learned from pairs (Isola et al. 2016, 1611.07004).

`published` follows the released code (phillipi/pix2pix; junyanz/pytorch-CycleGAN-and-pix2pix), with two
points in which a finished generator differs from it: at test time the released nets keep dropout, their
only noise, while samples here are taken without it, so a graph has no randomness inside; and batch norm
over one picture is written as what it is, instance norm (`networks/unet.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from generators.contract import (
    AdversarialModel,
    Batch,
    Floor,
    Input,
    Losses,
    Optimisation,
    Preset,
    TrainingData,
)
from generators.data.pairs import PairSet
from generators.data.views import source_of
from generators.losses.adversarial import bce_discriminator, bce_generator
from generators.metrics.judges import colours_of, in_parts, nearest, train_labels
from generators.networks.patch import PatchDiscriminator, require_patches
from generators.networks.unet import UNet
from generators.training.budget import rng_at


@dataclass(frozen=True)
class Config:
    """`width` channels stand after the first layer of each net; `patch_layers` 3 is the 70 x 70 PatchGAN."""

    image_size: int = 256  # a power of two from 16
    width: int = 64
    discriminator_width: int = 64
    patch_layers: int = 3
    l1_weight: float = 100.0


PRESETS = {
    "published": Preset(
        config=Config(),
        # 200 epochs of the 400 facades, the paper's smallest set; the rate falls over the last 100.
        optimisation=Optimisation(batch=1, decay_from=0.5, ema_half_life_images=0.0, total_images=80_000),
        data="camvid",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        # A quarter of the width and half the size: 13 MiB and a sixteenth of the cost, for one CPU core.
        config=Config(image_size=128, width=16, discriminator_width=32),
        # Four pictures a step at twice the rate pass over the data faster than one; samples come from an
        # average, since the last steps of a short run still move.
        optimisation=Optimisation(
            batch=4,
            generator_lr=4e-4,
            discriminator_lr=4e-4,
            decay_from=0.5,
            ema_half_life_images=500.0,
            precision="bf16",
            total_images=24_000,
        ),
        data="camvid",
        budget_minutes=16.0,
        # The paper's nets keep 0.83 of the photographs' FCN score, chance included (Table 1: 0.66 of 0.80).
        floors=(Floor("label_share", least=0.8), Floor("fid_ratio", most=0.3)),
    ),
    "smoke": Preset(
        config=Config(image_size=32, width=4, discriminator_width=4, patch_layers=2),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="camvid",
        budget_minutes=0.1,
    ),
}


class Pix2pix(AdversarialModel):
    """A U-Net that answers a source, and a PatchGAN that sees both."""

    name = "pix2pix"
    paper = "Isola et al. 2016, Image-to-Image Translation with Conditional Adversarial Networks, 1611.07004"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k4s2",
        "normalisation": "instance",
        "loss": "bce+l1",
    }
    task = "translation"

    config: Config

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        require_patches(config.image_size, config.patch_layers)
        self.generator = UNet(config.image_size, width=config.width)
        self.discriminator = PatchDiscriminator(
            3, width=config.discriminator_width, layers=config.patch_layers, condition=3
        )

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        source = source_of(batch, "condition")
        with torch.no_grad():
            fakes = self.generator(source)
        real, fake = self.discriminator(batch.images, source), self.discriminator(fakes, source)
        # Halved, which slows the discriminator against the generator (section 3.3).
        total = 0.5 * bce_discriminator(real, fake)
        return Losses(total, {"real_logit": real.mean(), "fake_logit": fake.mean()})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        source = source_of(batch, "condition")
        fakes = self.generator(source)
        adversarial = bce_generator(self.discriminator(fakes, source))
        distance = F.l1_loss(fakes.float(), batch.images)
        total = adversarial + self.config.l1_weight * distance  # Eq. 4
        return Losses(total, {"adversarial": adversarial, "l1": distance})

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        images: Tensor = self.generator(source_of(batch, "condition")[:count])
        return images

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        return lambda images: self.discriminator(images, source_of(batch, "condition"))

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        """`l1` to the true photographs and, for label maps, how well a judge reads them back.

        `label_accuracy` is the share of pixels whose label a judge trained on real training pairs finds in
        our pictures, `label_accuracy_real` in the photographs and `label_accuracy_chance` in photographs of
        other label maps, since streets are alike. `label_share` is where ours stands from chance to real.
        """
        batch = held_out.draw(128, rng_at(0, 0, "pairs"), rng.device)
        source = source_of(batch, "condition")
        fakes = in_parts(self.generator, source)
        found = {"l1": float(F.l1_loss(fakes, batch.images))}
        colours = colours_of(source)
        if colours is None:
            return found
        learned = held_out.reference if isinstance(held_out, PairSet) else held_out
        judge = train_labels(learned, colours.cpu())
        truth = nearest(source.cpu(), colours.cpu())

        def accuracy(images: Tensor, labels: Tensor) -> float:
            return float((in_parts(judge, images.cpu()).argmax(1) == labels).float().mean())

        ours, real = accuracy(fakes, truth), accuracy(batch.images, truth)
        chance = accuracy(batch.images, truth.roll(1, 0))
        found |= {"label_accuracy": ours, "label_accuracy_real": real, "label_accuracy_chance": chance}
        # A judge that reads no labels off photographs says nothing about pictures either.
        return found | ({"label_share": (ours - chance) / (real - chance)} if real > chance else {})

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        blocks = torch.rand(count, 3, 8, 8, generator=rng) * 2 - 1  # flat areas, as label maps have
        return {"source": F.interpolate(blocks, size=self.image_shape[1:], mode="nearest")}

    def inputs(self) -> dict[str, Input]:
        return {"source": Input("image")}

    def shown(self, batch: Batch) -> Tensor:
        return source_of(batch, "condition")
