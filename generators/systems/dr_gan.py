"""DR-GAN: a face turned to any yaw, its identity disentangled from its pose (Tran et al. 2017, CVPR).

`published` follows the paper's networks and kayamin/DR-GAN where the paper leaves something open; the
pose code is one-hot there and falls off linearly between the same bins here, so any yaw can be asked for.
`shipped` keeps conditioning and discriminator, but turns what the source shows (`networks/casia.py`), since
few of our persons have two pictures; a face's mirror image, seen from the opposite yaw, stands in for them.
"""

from __future__ import annotations

from collections.abc import Callable
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
from generators.losses.adversarial import bce_discriminator, bce_generator
from generators.losses.identity import identity_loss
from generators.losses.turned import known_answers
from generators.metrics.yaw import yaw_of
from generators.networks.casia import PoseCode, PoseDiscriminator, PoseGenerator
from generators.training.budget import rng_at

YAWS = (-30.0, -15.0, 0.0, 15.0, 30.0)  # what held-out faces are turned to when a run is judged


@dataclass(frozen=True)
class Config:
    """Pose bins stand at even distances from -`furthest` to `furthest` degrees.

    `share` scales the paper's widths in the discriminator and, unless `turning`, in the generator; the
    turning network has its own `width`. The last four weights are the turning network's alone.
    """

    may_be_none: ClassVar = ("latent",)
    image_size: int = 96  # a multiple of 16
    persons: int = 200
    pose_bins: int = 9
    furthest: float = 60.0
    latent: int = 50
    share: float = 1.0
    turning: bool = False
    discriminator_norm: bool = True
    width: int = 16
    identity: int = 64
    identity_weight: float = 1.0
    pose_weight: float = 1.0
    mirror_weight: float = 0.0
    pair_weight: float = 0.0
    estimate_weight: float = 0.0
    paint_weight: float = 0.0


# 64 px and three eighths of the width for one CPU core. The discriminator has no batch norm: with it, reals
# and fakes in batches of their own had the same mean logits, and nothing was learned from them.
_TURNING = Config(
    image_size=64,
    pose_bins=7,
    furthest=45.0,
    latent=0,
    share=0.375,
    turning=True,
    discriminator_norm=False,
    identity_weight=0.2,
    mirror_weight=10.0,
    pair_weight=5.0,
    estimate_weight=3.0,
    paint_weight=1.0,
)

# The yaw asked for, nearer to the truth than the source, still a face.
_FLOORS = {"yaw_error": 8.0, "mirror_ratio": 1.0, "fid_ratio": 0.3}

PRESETS = {
    "published": Preset(
        config=Config(),  # Multi-PIE in the paper: 200 persons to train on, nine poses 15 degrees apart
        optimisation=Optimisation(batch=64, ema_half_life_images=0.0, total_images=5_000_000),
        data="faces-lfw",
        budget_minutes=600.0,
    ),
    "shipped": Preset(
        config=_TURNING,
        optimisation=Optimisation(
            batch=16,
            generator_lr=5e-4,
            discriminator_lr=4e-4,
            penalty="r1",
            penalty_weight=1.0,
            penalty_interval=16,
            ema_half_life_images=1_000.0,
            decay_from=0.5,
            precision="bf16",
            total_images=16_000,
        ),
        data="faces-lfw+faces-celeba",
        budget_minutes=24.0,
        floors=tuple(Floor(name, most=most) for name, most in _FLOORS.items()),
    ),
    "smoke": Preset(
        config=replace(_TURNING, image_size=32, share=0.0625, width=4, identity=8),
        optimisation=Optimisation(batch=4, ema_half_life_images=32.0, total_images=32),
        data="faces-lfw",
        budget_minutes=0.1,
    ),
}


class DrGan(AdversarialModel):
    """A generator that turns faces, and a discriminator that names person and pose."""

    name = "dr_gan"
    paper = "Tran et al. 2017, Disentangled Representation Learning GAN for Pose-Invariant Face Recognition"
    tags: ClassVar[dict[str, str]] = {"normalisation": "batch", "loss": "bce+identity+pose"}
    task = "rotation"

    config: Config
    generator: PoseGenerator

    def __init__(self, config: Config, optimisation: Optimisation) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.image_shape = (3, config.image_size, config.image_size)
        self.pose = PoseCode(config.pose_bins, config.furthest)
        turning = (config.width, config.identity) if config.turning else None
        self.generator = PoseGenerator(
            config.image_size, self.pose, latent=config.latent, share=config.share, turning=turning
        )
        self.discriminator = PoseDiscriminator(
            config.persons, config.pose_bins, share=config.share, normed=config.discriminator_norm
        )

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            fakes = self.sample(batch, batch.size, rng)
        person, real, pose = self._answers(batch.images)
        fake = self._answers(fakes)[1]
        adversarial = bce_discriminator(real, fake)
        known = identity_loss(person, batch.extra["identity"])
        turned = F.cross_entropy(pose, self.pose(batch.extra["yaw"]))
        parts = {"real_logit": real.mean(), "fake_logit": fake.mean(), "d_person": known, "d_pose": turned}
        return Losses(adversarial + known + turned, parts)

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        config, source = self.config, _given(batch).images
        yaw = _wanted(batch, batch.size, rng)
        parts = {}
        if config.turning:
            faces, estimated, share = self.generator.turned(source, yaw)
            mirror, pair = known_answers(self.generator, batch)
            parts["mirror"] = config.mirror_weight * mirror
            parts["pair"] = config.pair_weight * pair
            # In tens of degrees.
            off = F.smooth_l1_loss(estimated / 10, batch.extra["yaw"] / 10)
            parts["estimate"] = config.estimate_weight * off
            parts["painted"] = config.paint_weight * (1 - share).mean()
        else:
            faces = self.generator(source, yaw, self._noise(batch.size, rng))
        person, real, pose = self._answers(faces)
        parts |= {
            "adversarial": bce_generator(real),
            "person": config.identity_weight * identity_loss(person, batch.extra["identity"]),
            "pose": config.pose_weight * F.cross_entropy(pose, self.pose(yaw)),
        }
        return Losses(torch.stack([part.float() for part in parts.values()]).sum(), parts)

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        """The faces of `batch`, each turned to the yaw of another."""
        source, yaw = _given(batch).images[:count], _wanted(_given(batch), count, rng)
        images: Tensor = self.generator(source, yaw, self._noise(count, rng))
        return images

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        return lambda images: self.discriminator(images)[:, self.config.persons]

    def fitted(self, data: TrainingData) -> Any:
        return replace(self.config, persons=len(data.names.get("persons", ())))

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        """How far the turned face's yaw is from the one asked for, in degrees, as a judge reads it.

        Faces are turned to `YAWS`. `yaw_error_unchanged` is the error of handing back
        the source, `yaw_error_judge` the judge's own on sources. `mirror_l1` compares faces turned to the
        opposite yaw with their mirror images; `mirror_ratio` is that over the same for the sources.
        """
        batch = held_out.draw(128, rng_at(0, 0, "faces"), rng.device)
        source, known = batch.images, batch.extra["yaw"]
        read, mirror, z = yaw_of(source), source.flip(-1), self._noise(batch.size, rng)
        off = [yaw_of(self.generator(source, torch.full_like(known, yaw), z)) - yaw for yaw in YAWS]
        near = F.l1_loss(self.generator(source, -known, z), mirror)
        return {
            "yaw_error": float(torch.stack(off).abs().mean()),
            "yaw_error_unchanged": float(torch.stack([read - yaw for yaw in YAWS]).abs().mean()),
            "yaw_error_judge": float((read - known).abs().mean()),
            "mirror_l1": float(near),
            "mirror_ratio": float(near / F.l1_loss(source, mirror)),
        }

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        blocks = torch.rand(count, 3, 8, 8, generator=rng) * 2 - 1
        faces = F.interpolate(blocks, self.image_shape[1:], mode="bilinear")
        yaw = (torch.rand(count, generator=rng) * 2 - 1) * self.config.furthest
        z = self._noise(count, rng)
        return {"source": faces, "yaw": yaw} | ({} if z is None else {"z": z})

    def inputs(self) -> dict[str, Input]:
        turn = Input("yaw", low=-self.config.furthest, high=self.config.furthest)
        noise = {"z": Input("latent", law="uniform")} if self.config.latent else {}
        return {"source": Input("image"), "yaw": turn} | noise

    def shown(self, batch: Batch) -> Tensor:
        return _given(batch).images

    def fingerprint(self) -> dict[str, str]:
        own = "nearest+warp" if self.config.turning else "transposed-k3s2"
        return self.tags | {"upsampler": own}

    def _answers(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits: Tensor = self.discriminator(faces)
        persons = self.config.persons
        return logits[:, :persons], logits[:, persons], logits[:, persons + 1 :]

    def _noise(self, count: int, rng: torch.Generator) -> Tensor | None:
        size = (count, self.config.latent)
        return torch.rand(size, generator=rng, device=rng.device) * 2 - 1 if self.config.latent else None


def _wanted(batch: Batch, count: int, rng: torch.Generator) -> Tensor:
    # Yaws of the batch in another order: fakes are turned as far as reals are, so that turning betrays none.
    order = torch.randperm(batch.size, generator=rng, device=rng.device)[:count]
    return batch.extra["yaw"][order]


def _given(batch: Batch | None) -> Batch:
    if batch is None or "yaw" not in batch.extra:
        raise UsageError("dr_gan turns faces, and there are none.", "Give it a set of faces with their yaw.")
    return batch
