"""The reconstruction family: small autoencoding GANs that turn a photograph into its aligned twin.

Each member is an encoder of strided convolutions, a bottleneck (plain; variational, Kingma and Welling
2013, 1312.6114; or vector-quantised, van den Oord et al. 2017, 1711.00937) and a decoder whose stages
all double the resolution with one operator of `networks/upsamplers.py`. A patch discriminator (Isola
et al. 2016, 1611.07004) and an L1 loss train it on native crops. What the members do not share is what
a detector has to learn: operator, factor, bottleneck, normalisation and output range.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.contract import AdversarialModel, Batch, Input, Losses, Optimisation, Preset, TrainingData
from generators.losses.adversarial import LOSSES
from generators.metrics.rebuilding import FLOORS, rebuilding
from generators.networks.bottlenecks import Plain, Quantised, Variational
from generators.networks.normalisation import normalisation
from generators.networks.upsamplers import upsampler
from generators.training.checkpoint import fitting, load, read_settled

# Channels at full resolution, at a half, a quarter, an eighth and a sixteenth: at most 9 kMAC a pixel.
WIDTHS = (12, 24, 40, 64, 64)


@dataclass(frozen=True)
class ReconstructionConfig:
    """One member of the family; `factor` is 2, 4, 8 or 16 and `latent` the channels of a VAE or VQ code."""

    upsampler: str
    factor: int = 4
    bottleneck: Literal["plain", "vae", "vq"] = "plain"
    normalisation: Literal["none", "batch", "instance", "pixel"] = "none"
    output: Literal["tanh", "clamp"] = "clamp"
    loss: Literal["hinge", "lsgan"] = "hinge"
    latent: int = 16
    codebook: int = 256
    code_groups: int = 4
    adversarial_weight: float = 0.1
    latent_weight: float = 1e-4

    @property
    def family(self) -> str:
        """What the member is left out of training with: its operator, or "vae" or "vq"."""
        return self.upsampler if self.bottleneck == "plain" else self.bottleneck


OPTIMISATION = Optimisation(
    batch=16,
    generator_lr=1.5e-3,
    discriminator_lr=4e-4,
    betas=(0.5, 0.99),
    ema_half_life_images=1_000,
    total_images=24_000,
    precision="bf16",
)
CROP = 64

_C = ReconstructionConfig
MEMBERS: dict[str, ReconstructionConfig] = {
    "nearest-x4": _C("nearest", 4, normalisation="batch", output="tanh"),
    "nearest-x8": _C("nearest", 8, loss="lsgan"),
    "bilinear-x2": _C("bilinear", 2, normalisation="pixel"),
    "bilinear-x4": _C("bilinear", 4, output="tanh", loss="lsgan"),
    "bicubic-x4": _C("bicubic", 4, normalisation="batch"),
    "sinc-x2": _C("sinc", 2, loss="lsgan"),
    "transposed-k4s2-x2": _C("transposed-k4s2", 2, output="tanh"),
    "transposed-k4s2-x16": _C("transposed-k4s2", 16, normalisation="batch"),
    "transposed-k3s2-x4": _C("transposed-k3s2", 4, normalisation="instance", output="tanh", loss="lsgan"),
    "transposed-k2s2-x4": _C("transposed-k2s2", 4),
    "pixel-shuffle-x2": _C("pixel-shuffle", 2, loss="lsgan"),
    "pixel-shuffle-x4": _C("pixel-shuffle", 4, normalisation="batch", output="tanh"),
    "fir-x4": _C("fir", 4, normalisation="pixel"),
    "unpool-x2": _C("unpool", 2, normalisation="batch", output="tanh", loss="lsgan"),
    "haar-x4": _C("haar", 4),
    "vae-x4": _C("nearest", 4, "vae", normalisation="instance", output="tanh"),
    "vae-x8": _C("transposed-k4s2", 8, "vae", latent=32, loss="lsgan"),
    "vq-x4": _C("nearest", 4, "vq", normalisation="batch", latent_weight=0.25),
}
PRESETS: dict[str, Preset] = {
    name: Preset(config, OPTIMISATION, data="photos", budget_minutes=4.0, floors=FLOORS)
    for name, config in MEMBERS.items()
}
PRESETS["shipped"] = PRESETS["haar-x4"]
PRESETS["smoke"] = Preset(_C("nearest", 2), replace(OPTIMISATION, total_images=512), "photos", 0.2)
# Chosen before any training: never shown to a detector in training, so its test measures the unseen.
HELD_OUT_FAMILIES = ("pixel-shuffle", "vq")


class Autoencoder(nn.Module):
    """The generator: `pixels` (B, 3, H, W) in [-1, 1], H and W multiples of the factor, to the same shape."""

    def __init__(self, config: ReconstructionConfig) -> None:
        super().__init__()
        self.output = config.output
        levels = config.factor.bit_length() - 1
        narrowing = zip((3, *WIDTHS[1:levels]), WIDTHS[1 : levels + 1], strict=True)
        encoder: list[nn.Module] = []
        for inputs, outputs in narrowing:
            encoder += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*encoder, Residual(WIDTHS[levels]))
        self.bottleneck = _bottleneck(config, WIDTHS[levels])
        decoder: list[nn.Module] = [Residual(WIDTHS[levels])]
        for level in range(levels, 0, -1):
            decoder.append(upsampler(config.upsampler, WIDTHS[level], WIDTHS[level - 1]))
            decoder += [normalisation(config.normalisation, WIDTHS[level - 1]), nn.LeakyReLU(0.2)]
        self.decoder = nn.Sequential(*decoder, nn.Conv2d(WIDTHS[0], 3, 3, padding=1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.reconstruct(pixels, None)[0]

    def reconstruct(self, pixels: Tensor, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """The twin and the cost of its code; `noise` samples a VAE's code, None takes its mean."""
        code, cost = self.bottleneck(self.encoder(pixels), noise)
        twin = self.decoder(code)
        if self.output == "tanh":
            return torch.tanh(twin), cost
        # A clamp has no gradient outside its range, so training sees the bare value.
        return (twin if self.training else twin.clamp(-1, 1)), cost


class Residual(nn.Module):
    """x + conv(lrelu(x)), 3x3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(F.leaky_relu(x, 0.2))
        return out


class ReconstructionGAN(AdversarialModel):
    """One autoencoder of the family and the patch discriminator it is trained against."""

    name = "reconstruction"
    paper = "Zhang et al. 2019, 1907.06515 (AutoGAN); Isola et al. 2016, 1611.07004 (PatchGAN)"
    tags: ClassVar[dict[str, str]] = {"upsampler": "by preset", "normalisation": "by preset"}

    task = "reconstruction"
    image_shape = (3, CROP, CROP)

    def __init__(self, config: ReconstructionConfig, optimisation: Optimisation = OPTIMISATION) -> None:
        super().__init__()
        self.config, self.optimisation = config, optimisation
        self.generator = Autoencoder(config)
        self.discriminator = nn.Sequential(
            nn.Conv2d(3, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 1, 3, padding=1),
        )
        self.tags = fingerprint(config)  # type: ignore[misc]  # the class speaks for all members, this for one

    def discriminator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        with torch.no_grad():
            twins, _ = self._twins(batch.images, rng)
        real, fake = self.discriminator(batch.images), self.discriminator(twins)
        return Losses(LOSSES[self.config.loss].discriminator(real.float(), fake.float()))

    def generator_loss(self, batch: Batch, rng: torch.Generator) -> Losses:
        twins, cost = self._twins(batch.images, rng)
        logits = self.discriminator(twins).float()
        adversarial = LOSSES[self.config.loss].generator(logits, logits)
        distance = F.l1_loss(twins.float(), batch.images)
        total = (
            distance + self.config.adversarial_weight * adversarial + self.config.latent_weight * cost.float()
        )
        return Losses(total, {"l1": distance, "adversarial": adversarial, "latent": cost})

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        if batch is None:
            # Without pictures to rebuild, rebuild smooth noise: only grids of untrained runs need this.
            coarse = torch.rand(count, 3, 4, 4, generator=rng, device=rng.device) * 2 - 1
            images = F.interpolate(coarse, size=(CROP, CROP), mode="bilinear")
        else:
            images = batch.images[:count]
        twins: Tensor = self.generator(images).float().clamp(-1, 1)
        return twins

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        return rebuilding(self.generator, self.config.factor, held_out, rng.device)

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        return {"pixels": torch.zeros(count, 3, CROP, CROP)}

    def dynamic_axes(self) -> tuple[str, ...]:
        return ("batch", "height", "width")

    def inputs(self) -> dict[str, Input]:
        return {"pixels": Input("image")}

    def shown(self, batch: Batch) -> Tensor:
        return batch.images

    def _twins(self, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        assert isinstance(self.generator, Autoencoder)
        noise = None
        if self.config.bottleneck == "vae":
            side = (images.shape[2] // self.config.factor, images.shape[3] // self.config.factor)
            noise = torch.randn(images.shape[0], self.config.latent, *side, generator=rng, device=rng.device)
        return self.generator.reconstruct(images, noise)


def load_member(folder: Path) -> tuple[ReconstructionConfig, Autoencoder]:
    """The member trained in a run folder: its configuration and its averaged generator, ready to use."""
    settled, state = read_settled(folder), load(folder)
    with fitting(folder):
        config = ReconstructionConfig(**settled["config"])
        generator = Autoencoder(config)
        generator.load_state_dict(state["ema"])
    return config, generator.eval().requires_grad_(False)


def fingerprint(config: ReconstructionConfig) -> dict[str, str]:
    """The tags of one member: what its fakes are told apart by."""
    return {
        "family": config.family,
        "upsampler": config.upsampler,
        "normalisation": config.normalisation,
        "loss": config.loss,
        "factor": str(config.factor),
        "bottleneck": config.bottleneck,
    }


def _bottleneck(config: ReconstructionConfig, width: int) -> nn.Module:
    if config.bottleneck == "vae":
        return Variational(width, config.latent)
    if config.bottleneck == "vq":
        return Quantised(width, config.latent, config.codebook, config.code_groups)
    return Plain()
