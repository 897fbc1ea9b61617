"""TP-GAN: the frontal view of a turned face, by a global and a local pathway (Huang et al. 2017, 1704.04086).

`published` follows HRLTY/TP-GAN, whose losses are sums over pixels; its generator takes two steps for each
of the discriminator's. Its Light CNN, whose features keep the person, has foreign weights: here the
discriminator learns to tell the persons apart and gives the features. Faces are not mirrored to one side.
`shipped` has few persons photographed from ahead and from a side, and never in one light. So it also
learns from frontal faces that `networks/turning.py` turns, whose answers are exactly known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor
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
from generators.data.poses import TURNED
from generators.losses.frontal import asymmetry, distances, summed, variation
from generators.losses.identity import identity_loss
from generators.metrics.judges import in_parts
from generators.metrics.yaw import yaw_of
from generators.networks import turning
from generators.networks.two_pathways import PARTS, FrontalDiscriminator, TwoPathways, cut
from generators.training.budget import rng_at

REAL = 0.9  # labels of reals are smoothed to it
LOSS = "bce+l1+symmetry+identity"


@dataclass(frozen=True)
class Config:
    """Patches are left, top, width, height of both eyes, nose and mouth; weights are for sums over pixels.

    With `turn` frontal faces without a turned partner are turned by geometry, and pairs of photographs
    count in blocks.
    """

    may_be_none: ClassVar = ("latent",)

    image_size: int = 128
    persons: int = 340
    width: int = 64
    discriminator_width: int = 64
    discriminator_norm: bool = True
    latent: int = 100
    largest_kernel: int = 7
    patches: tuple[int, ...] = (23, 20, 40, 40, 65, 20, 40, 40, 43, 48, 40, 32, 40, 72, 48, 32)
    turn: bool = False
    scale_weights: tuple[float, float, float] = (1.0, 1.0, 1.5)
    symmetry_weight: float = 0.3
    adversarial_weight: float = 20.0
    feature_weight: float = 40.0
    identity_weight: float = 10.0
    variation_weight: float = 1e-3
    part_weight: float = 3.0


# An eighth of the width, no kernel above 3, half the size: what one CPU core can train in minutes. Patches
# stand where LFW's landmarks lie in our squares.
_SMALL = Config(
    image_size=64,
    width=8,
    discriminator_width=16,
    discriminator_norm=False,
    latent=0,
    largest_kernel=3,
    turn=True,
    patches=(15, 19, 16, 16, 33, 19, 16, 16, 20, 30, 24, 16, 20, 38, 24, 16),
)

# Beside one another at 32 px, where the parts are smaller than any patch.
_TINY = (8, 8, 8, 8, 16, 8, 8, 8, 12, 14, 8, 8, 8, 18, 16, 8)

PRESETS = {
    "published": Preset(
        config=Config(),
        # Batches are of ten in the released class, whatever the flag says.
        optimisation=Optimisation(
            batch=10,
            generator_lr=1e-4,
            discriminator_lr=1e-4,
            betas=(0.9, 0.999),
            generator_steps=2,
            ema_half_life_images=0.0,
            total_images=5_000_000,
        ),
        data="frontal:faces-lfw",
        budget_minutes=1200.0,
    ),
    "shipped": Preset(
        config=_SMALL,
        # One step of each player at a higher rate: the released pace asks for days.
        optimisation=Optimisation(
            batch=16,
            generator_lr=1e-3,
            discriminator_lr=2e-4,
            betas=(0.5, 0.999),
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=16,
            ema_half_life_images=1_000.0,
            decay_from=0.5,
            precision="bf16",
            total_images=35_000,
        ),
        data="frontal:faces-lfw+faces-celeba",
        budget_minutes=30.0,
        floors=(Floor("yaw_error", most=8.0), Floor("fid_ratio", most=0.3)),
    ),
    "smoke": Preset(
        config=replace(_SMALL, image_size=32, latent=4, patches=_TINY),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="frontal:faces-lfw",
        budget_minutes=0.1,
    ),
}


class TpGan(AdversarialModel):
    """Two pathways that answer a turned face by the same face looking ahead."""

    name = "tp_gan"
    paper = "Huang et al. 2017, Beyond Face Rotation: Global and Local Perception GAN, arXiv 1704.04086"
    tags: ClassVar[dict[str, str]] = {"upsampler": "transposed-k3s2", "normalisation": "batch", "loss": LOSS}
    task = "rotation"

    config: Config
    generator: TwoPathways
    discriminator: FrontalDiscriminator

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        numbers = iter(config.patches)
        patches = dict(zip(PARTS, zip(numbers, numbers, numbers, numbers, strict=True), strict=True))
        size, width, latent, largest = config.image_size, config.width, config.latent, config.largest_kernel
        self.generator = TwoPathways(
            size, patches, width=width, latent=latent, largest=largest, persons=config.persons
        )
        own = config.discriminator_width
        self.discriminator = FrontalDiscriminator(own, config.persons, normed=config.discriminator_norm)

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        source, _ = self._asked(batch, rng)
        with torch.no_grad():
            fakes = self.generator(source, self._noise(batch.size, rng))
        real, features = self.discriminator.answers(batch.images)
        fake = self.discriminator(fakes)
        adversarial = _bce(real, REAL) + _bce(fake, 0.0)
        person = identity_loss(self.discriminator.name(features), batch.extra["identity"])
        parts = {"real_logit": real.mean(), "fake_logit": fake.mean(), "d_person": person}
        return Losses(adversarial + person, parts)

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        config = self.config
        source, exact = self._asked(batch, rng)
        faces, seen, code = self.generator.stages(source, self._noise(batch.size, rng))
        logits, features = self.discriminator.answers(faces[0])
        with torch.no_grad():
            wanted = self.discriminator.answers(batch.images)[1]
        named = self.generator.name(F.dropout(code, 0.7, self.training))
        truths = {part: cut(batch.images, self.generator.patches[part]) for part in PARTS}
        local = [summed(exact[:, None, None, None] * (seen[part] - truths[part])) for part in PARTS]
        parts = {
            "l1": distances(faces, batch.images, exact, config.scale_weights),
            "symmetry": config.symmetry_weight * asymmetry(faces, config.scale_weights),
            "adversarial": config.adversarial_weight * _bce(logits, REAL),
            "feature": config.feature_weight * F.l1_loss(features, wanted),
            "person": config.identity_weight * identity_loss(named, batch.extra["identity"]),
            "variation": config.variation_weight * variation(faces[0]),
            "parts": config.part_weight * torch.stack(local).sum(),
        }
        return Losses(torch.stack([part.float() for part in parts.values()]).sum(), parts)

    def _asked(self, batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The sources (B, 3, S, S), and for which (B,) of them the image is the exact answer."""
        source = _source(batch)
        photographed = batch.extra["turned_yaw"].abs() > TURNED
        if not self.config.turn:
            return source, torch.ones_like(photographed)
        draws = torch.rand(2, batch.size, generator=rng, device=rng.device)
        yaw = (TURNED + 25 * draws[0]) * torch.where(draws[1] < 0.5, -1.0, 1.0)
        by_geometry = turning.turned(batch.images, batch.extra["yaw"], yaw)
        return torch.where(photographed[:, None, None, None], source, by_geometry), ~photographed

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        images: Tensor = self.generator(_source(batch)[:count], self._noise(count, rng))
        return images

    def fitted(self, data: TrainingData) -> Any:
        return replace(self.config, persons=max(1, len(data.names.get("persons", ()))))

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        """How far from ahead, in degrees, a judge sees the answers to held-out turned faces.

        `frontal_l1` is the distance, in blocks of eight pixels, from another photograph of the same person
        from ahead; `_unchanged` is each for the turned faces themselves.
        """
        batch = held_out.draw(256, rng_at(0, 0, "faces"), rng.device)
        source, truth = _source(batch), F.avg_pool2d(batch.images, 8)
        faces = in_parts(lambda part: self.generator(part, self._noise(len(part), rng)), source)
        return {
            "yaw_error": float(yaw_of(faces).abs().mean()),
            "yaw_error_unchanged": float(yaw_of(source).abs().mean()),
            "frontal_l1": float(F.l1_loss(F.avg_pool2d(faces, 8), truth)),
            "frontal_l1_unchanged": float(F.l1_loss(F.avg_pool2d(source, 8), truth)),
        }

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        blocks = torch.rand(count, 3, 8, 8, generator=rng) * 2 - 1
        noise = self._noise(count, rng)
        source = F.interpolate(blocks, self.image_shape[1:], mode="bilinear")
        return {"source": source} | ({} if noise is None else {"z": noise})

    def inputs(self) -> dict[str, Input]:
        return {"source": Input("image")} | ({"z": Input("latent")} if self.config.latent else {})

    def shown(self, batch: Batch) -> Tensor:
        return _source(batch)

    def _noise(self, count: int, rng: torch.Generator) -> Tensor | None:
        # Of deviation 1 at the graph's border; the released nets draw with 0.02.
        if not self.config.latent:
            return None
        return torch.randn(count, self.config.latent, generator=rng, device=rng.device)


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _source(batch: Batch | None) -> Tensor:
    if batch is None or "turned" not in batch.extra:
        raise UsageError("tp_gan answers turned faces, and there are none.", "Give it faces with their yaw.")
    return batch.extra["turned"]
