"""GANimation: a face takes on other action units (Pumarola et al. 2018, 1807.09251).

`published` follows the released code (albertpumarola/GANimation). Its mask A keeps the source,
A * I + (1 - A) * C, where the paper's Eq. 1 has A * C + (1 - A) * I. Its weights are the code's too: 4000
over a batch of 25 for the squared error of the units, and 1e-5 for the mask's total variation, 1e-4 in the
paper. There the gradient penalty is a step of its own; here it is part of the critic's step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError
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
from generators.data.units import UnitSet
from generators.losses.adversarial import wasserstein_discriminator, wasserstein_generator
from generators.metrics import face_regressor
from generators.networks.editing import FaceEditor
from generators.networks.patch import initialise

UNITS = tuple(f"AU{n:02d}" for n in (1, 2, 4, 5, 7, 10, 12, 14, 15, 16, 17, 18, 20, 24, 26, 28, 45))


@dataclass(frozen=True)
class Config:
    """`quick` is the form of both networks that learns within minutes (`networks/editing.py`)."""

    image_size: int = 128
    width: int = 64
    blocks: int = 6
    quick: bool = False
    discriminator_width: int = 64
    discriminator_layers: int = 6
    unit_weight: float = 160.0
    cycle_weight: float = 10.0
    mask_weight: float = 0.1
    smooth_weight: float = 1e-5
    target_noise: float = 0.1
    units: tuple[str, ...] = UNITS


PRESETS = {
    "published": Preset(
        config=Config(),
        # 20 epochs of 200 000 faces, and 10 in which the rate falls to 0.
        optimisation=Optimisation(
            batch=25,
            generator_lr=1e-4,
            discriminator_lr=1e-4,
            discriminator_steps=5,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=0.0,
            decay_from=2 / 3,
            total_images=6_000_000,
        ),
        data="faces-lfw+faces-celeba",
        budget_minutes=3000.0,
    ),
    "shipped": Preset(
        config=Config(
            image_size=64,
            width=24,
            blocks=3,
            quick=True,
            discriminator_width=32,
            discriminator_layers=5,
            mask_weight=0.0,
        ),
        optimisation=Optimisation(
            batch=8,
            generator_lr=3e-4,
            discriminator_lr=3e-4,
            penalty="gp",
            penalty_weight=10.0,
            penalty_interval=2,
            ema_half_life_images=2_000.0,
            decay_from=0.55,
            precision="bf16",
            total_images=22_000,
        ),
        data="faces-lfw+faces-celeba",
        budget_minutes=26.0,
        floors=(
            Floor("au_error", most=0.12),
            Floor("attention", least=0.05, most=0.95),
            Floor("fid_ratio", most=0.3),
        ),
    ),
    "smoke": Preset(
        config=Config(image_size=32, width=4, blocks=1, discriminator_width=4, discriminator_layers=4),
        optimisation=Optimisation(
            batch=4,
            discriminator_steps=2,
            penalty="gp",
            penalty_weight=10.0,
            ema_half_life_images=32.0,
            total_images=32,
        ),
        data="faces-celeba",
        budget_minutes=0.1,
    ),
}


class Discriminator(nn.Module):
    """Faces (B, 3, S, S) -> a score for each patch (B, h, w), and the units (B, U) they show; no norm."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for n in range(config.discriminator_layers):
            outputs = config.discriminator_width * 2**n
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01)]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.patches = nn.Conv2d(inputs, 1, 3, 1, 1, bias=False)
        side = config.image_size // 2**config.discriminator_layers
        self.units = nn.Conv2d(inputs, len(config.units), side, bias=False)
        self.apply(_he if config.quick else initialise)
        if config.quick:
            nn.init.zeros_(self.units.weight)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.layers(images)
        return self.patches(x)[:, 0].float(), self.units(x)[:, :, 0, 0].float()


class Ganimation(AdversarialModel):
    """An editor of faces against a critic that also reads their action units."""

    name = "ganimation"
    paper = "Pumarola et al. 2018, GANimation: Anatomically-aware Facial Animation, arXiv 1807.09251"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k4s2",
        "normalisation": "instance",
        "loss": "wgan-gp+units+cycle",
    }
    task = "animation"

    config: Config
    generator: FaceEditor

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.generator = FaceEditor(
            width=config.width,
            blocks=config.blocks,
            units=len(config.units),
            quick=config.quick,
        )
        self.discriminator = Discriminator(config)

    def fitted(self, data: TrainingData) -> Config:
        return replace(self.config, units=tuple(data.names["units"]))

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            edited = self.generator(batch.images, self._targets(batch, rng))
        real, units = self.discriminator(batch.images)
        fake, _ = self.discriminator(edited)
        critic = wasserstein_discriminator(real, fake)
        read = F.mse_loss(units, _units(batch))
        return Losses(critic + self.config.unit_weight * read, {"critic": critic, "units_of_reals": read})

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        config, targets = self.config, self._targets(batch, rng)
        edited, attention = self.generator.edited(batch.images, targets)
        back, attention_back = self.generator.edited(edited, _units(batch))
        score, units = self.discriminator(edited)
        adversarial = wasserstein_generator(score)
        read = F.mse_loss(units, targets)
        cycle = F.l1_loss(back, batch.images)
        kept = attention.mean() + attention_back.mean()
        rough = _variation(attention) + _variation(attention_back)
        total = adversarial + config.unit_weight * read + config.cycle_weight * cycle
        total = total + config.mask_weight * kept + config.smooth_weight * rough
        parts = {"adversarial": adversarial, "units_of_fakes": read, "cycle": cycle}
        return Losses(total, parts | {"attention": kept / 2})

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        """Each face with the units of the one before it."""
        if batch is None:
            raise UsageError("GANimation edits faces, and there are none.", "Give it faces with units.")
        images: Tensor = self.generator(batch.images[:count], _units(batch).roll(1, 0)[:count])
        return images

    def shown(self, batch: Batch) -> Tensor:
        return batch.images

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        def score(images: Tensor) -> Tensor:
            scores: Tensor = self.discriminator(images)[0]
            return scores

        return score

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        """How far the units that a judge reads off edited faces are from those asked for: the mean error.

        Asked for are another face's measured units; only units that vary count. `au_error_untouched` is the
        error where nothing is edited, `au_error_judge` the judge's own on untouched faces, `moved` the
        slope of what is read off the edited face on what was asked for. `attention` is the mask's mean.
        """
        batch = held_out.draw(256, rng, rng.device)
        own = _units(batch)
        targets = own.roll(1, 0)
        varying = own.std(0) >= 0.05
        parts = [
            self.generator.edited(*pair)
            for pair in zip(batch.images.split(32), targets.split(32), strict=True)
        ]
        edited = torch.cat([images for images, _ in parts])
        judge = face_regressor.load_or_train(
            faces=held_out.training_part() if isinstance(held_out, UnitSet) else None
        )
        after, before = (
            face_regressor.read(judge, faces.cpu()).units.to(own) for faces in (edited, batch.images)
        )

        def error(found: Tensor, wanted: Tensor) -> float:
            return float((found - wanted).abs()[:, varying].mean())

        asked = (targets - own)[:, varying]
        return {
            "au_error": error(after, targets),
            "au_error_untouched": error(before, targets),
            "au_error_judge": error(before, own),
            "moved": float(((after - before)[:, varying] * asked).sum() / asked.square().sum()),
            "attention": float(torch.cat([mask for _, mask in parts]).mean()),
            "change_l1": float((edited - batch.images).abs().mean()),
        }

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        coarse = torch.rand(count, 3, 8, 8, generator=rng) * 2 - 1
        image = F.interpolate(coarse, size=self.image_shape[1:], mode="bilinear")
        return {"image": image, "units": torch.rand(count, len(self.config.units), generator=rng)}

    def inputs(self) -> dict[str, Input]:
        return {"image": Input("image"), "units": Input("units", names=self.config.units)}

    def _targets(self, batch: Batch, rng: torch.Generator) -> Tensor:
        # The units of another face, a little off, as the released code draws them.
        order = torch.randperm(batch.size, generator=rng, device=rng.device)
        units = _units(batch)[order]
        noise = torch.rand(units.shape, generator=rng, device=rng.device) * 2 - 1
        return units + self.config.target_noise * noise


def _he(layer: nn.Module) -> None:
    # N(0, 0.02) lets next to nothing through narrow layers without norms.
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, 0.01)


def _units(batch: Batch) -> Tensor:
    return batch.extra["units"]


def _variation(mask: Tensor) -> Tensor:
    # Summed over the batch, as released.
    across = (mask[..., 1:] - mask[..., :-1]).abs().sum()
    return across + (mask[..., 1:, :] - mask[..., :-1, :]).abs().sum()
