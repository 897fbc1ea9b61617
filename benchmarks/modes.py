"""Does the R3 loss leave modes out? 25 Gaussians and stacked digits: `python -m benchmarks.modes`.

RpGAN with R1 and R2 (Huang et al. 2024, 2501.05441), through the training loop like any system, on data
whose modes can be counted. 25 Gaussians of deviation 0.05 stand 2 apart on a grid, and on a ring of the same
width: a mode is hit when one of 2 500 samples lies within three deviations of its centre (Lin et al. 2018,
PacGAN, 1712.04086). Stacked digits hold
an MNIST digit in each colour, 1 000 modes, named by a digit classifier trained here, over 25 600 samples
(Srivastava et al. 2017, VEEGAN, 1705.07761, who took 26 000). Writes runs/bench/modes.json.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarks.machine import machine
from generators.contract import Batch, Optimisation
from generators.data.memory import ImageSet
from generators.metrics.classifier import Classifier, classifier_of
from generators.networks.resblocks import started
from generators.noise import NoiseModel
from generators.training.budget import rng_at
from generators.training.loop import train

DEVIATION = 0.05
POINTS = 2_500
STACKS = 25_600
BATCH = 256

POINT_OPTIONS = Optimisation(
    batch=128,
    generator_lr=3e-3,
    discriminator_lr=3e-3,
    betas=(0.0, 0.99),
    penalty="r1r2",
    penalty_weight=1.0,
    ema_half_life_images=5_000.0,
    total_images=400_000,
    anneal_images=400_000,
    final_lr=3e-4,
    final_beta2=0.99,
    final_penalty_weight=0.1,
)
STACK_OPTIONS = Optimisation(
    batch=64,
    generator_lr=1e-3,
    discriminator_lr=1e-3,
    betas=(0.0, 0.9),
    penalty="r1r2",
    penalty_weight=1.0,
    ema_half_life_images=10_000.0,
    total_images=2_000_000,
    anneal_images=150_000,
    final_lr=2e-4,
    final_beta2=0.99,
    final_penalty_weight=0.1,
)


def main(arguments: list[str] | None = None) -> int:
    """Train, count, print and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="for the stacked digits")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/modes.json"))
    chosen = parser.parse_args(arguments)
    found: dict[str, Any] = {name: points(name, seed=0) for name in CENTRES}
    found["stacked digits"] = stacked(chosen.minutes, seed=0)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found | {"machine": machine()}, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


def points(name: str, *, seed: int, images: int = POINT_OPTIONS.total_images) -> dict[str, float]:
    """Train on the 25 Gaussians `name`; how many of them 2 500 samples hit, and the share that hits any."""
    torch.manual_seed(seed)
    model = PointGan(PointConfig(), replace(POINT_OPTIONS, total_images=images, anneal_images=images))
    record = _trained(model, Gaussians(CENTRES[name]), seed=seed)
    with torch.no_grad():
        samples = model.sample(None, POINTS, rng_at(seed, 0, "count")).flatten(1)  # (N, 1, 1, 2) -> (N, 2)
    distances = torch.cdist(samples, CENTRES[name])
    nearest, mode = distances.min(dim=1)
    good = nearest < 3 * DEVIATION
    return {"modes": len(set(mode[good].tolist())), "of": 25, "within": float(good.float().mean())} | record


def stacked(minutes: float, *, seed: int) -> dict[str, float]:
    """Train on stacked digits; how many of 1 000 modes 25 600 samples hit, and KL from reals to them."""
    digits = ImageSet.from_shard("mnist", size=28, channels=1)
    torch.manual_seed(seed)
    model = StackGan(StackConfig(), STACK_OPTIONS)
    record = _trained(model, Stacks(digits), seed=seed, minutes=minutes)
    judge = classifier_of(digits)
    with torch.no_grad():
        counts = sum(
            (
                named(judge, model.sample(None, BATCH, rng_at(seed, n, "count")))
                for n in range(STACKS // BATCH)
            ),
            torch.zeros(1000),
        )
    held = counts[counts > 0] / counts.sum()
    # KL of the samples' modes from the uniform ones of the data, in nats, as VEEGAN gives it.
    return {
        "modes": int((counts > 0).sum()),
        "of": 1000,
        "kl": float((held * (held * 1000).log()).sum()),
    } | record


def named(judge: Classifier, images: Tensor) -> Tensor:
    """How often each of the 1 000 modes (1000,) stands in stacked images (B, 3, H, W)."""
    digits = [judge(images[:, n : n + 1]).argmax(dim=1) for n in range(3)]
    return torch.bincount(digits[0] * 100 + digits[1] * 10 + digits[2], minlength=1000).float()


def _trained(
    model: NoiseModel, data: Gaussians | Stacks, *, seed: int, minutes: float | None = None
) -> dict[str, float]:
    """Train `model` in a folder that is thrown away, leave the average in it; images and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        record = train(model, data, out=out, seed=seed, budget_minutes=minutes, device="cpu")
        state = torch.load(out / "checkpoint.pt", weights_only=True)
    model.generator.load_state_dict(state["ema"])
    model.eval()
    return {"images_seen": record.images_seen, "seconds": round(record.seconds, 1)}


def _grid() -> Tensor:
    line = torch.linspace(-4, 4, 5)
    return torch.cartesian_prod(line, line)


def _ring() -> Tensor:
    angles = torch.arange(25) * (2 * math.pi / 25)
    return 4 * torch.stack([angles.cos(), angles.sin()], dim=1)


CENTRES = {"25 gaussians on a grid": _grid(), "25 gaussians on a ring": _ring()}


@dataclass
class Gaussians:
    """Points (B, 1, 1, 2) around `centres` (25, 2), each as likely; unlike pictures they leave [-1, 1]."""

    centres: Tensor
    sha256: dict[str, str] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.centres)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` points, no two the same."""
        chosen = self.centres[torch.randint(len(self), (count,), generator=rng)]
        drawn = chosen + DEVIATION * torch.randn(count, 2, generator=rng)
        return Batch(drawn.reshape(count, 1, 1, 2).to(device))


class Stacks:
    """Three digits of `digits` as the colours of one picture (B, 3, 28, 28)."""

    def __init__(self, digits: ImageSet) -> None:
        self.digits, self.sha256, self.names = digits, digits.sha256, {"classes": ()}

    def __len__(self) -> int:
        return len(self.digits)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` stacks of digits drawn one by one."""
        drawn = self.digits.draw(3 * count, rng, device).images
        return Batch(drawn.reshape(count, 3, *drawn.shape[2:]))


@dataclass(frozen=True)
class PointConfig:
    """Players of three layers of `width`; the discriminator sees waves of some `frequency` a unit."""

    latent: int = 2
    frequency: float = 1.0
    width: int = 128
    channels: int = 1
    image_size: int = 1


class PointGan(NoiseModel):
    """Dense players without norms on points."""

    name = "points"
    paper = "Huang et al. 2024"
    tags: ClassVar[dict[str, str]] = {"upsampler": "dense", "normalisation": "none", "loss": "relativistic"}

    def __init__(self, config: PointConfig, optimisation: Optimisation) -> None:
        width = config.width
        generator = nn.Sequential(*_dense(config.latent, width, width, width, 2), nn.Unflatten(1, (1, 1, 2)))
        waves = Waves(width, config.frequency)
        discriminator = nn.Sequential(nn.Flatten(), waves, *_dense(width, width, width, 1), nn.Flatten(0))
        super().__init__(config, optimisation, generator, discriminator)
        self.image_shape = (1, 1, 2)


@dataclass(frozen=True)
class StackConfig:
    """Convolutional players with `width` channels at 14 pixels and twice as many at 7."""

    latent: int = 64
    width: int = 32
    channels: int = 3
    image_size: int = 28


class StackGan(NoiseModel):
    """Convolutional players without norms on pictures of 28 pixels."""

    name = "stacks"
    paper = "Huang et al. 2024"
    tags: ClassVar[dict[str, str]] = {
        "upsampler": "transposed-k4s2",
        "normalisation": "none",
        "loss": "relativistic",
    }

    def __init__(self, config: StackConfig, optimisation: Optimisation) -> None:
        fine, coarse = config.width, 2 * config.width
        generator = nn.Sequential(
            started(nn.Linear(config.latent, coarse * 49)),
            nn.Unflatten(1, (coarse, 7, 7)),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(coarse, fine, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(fine, config.channels, 4, 2, 1),
            nn.Tanh(),
        )
        discriminator = nn.Sequential(
            nn.Conv2d(config.channels, fine, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(fine, coarse, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(coarse * 49, coarse),
            nn.LeakyReLU(0.2),
            nn.Linear(coarse, 1),
            nn.Flatten(0),
        )
        super().__init__(config, optimisation, generator, discriminator)


class Waves(nn.Module):
    """Points (B, 2) -> (B, width): sines and cosines in random directions, fixed (Tancik et al. 2020).

    A dense discriminator sees a grid of 25 as one cloud for long: 2006.10739, Fourier features.
    """

    def __init__(self, width: int, frequency: float) -> None:
        super().__init__()
        self.register_buffer("directions", frequency * torch.randn(2, width // 2))
        self.directions: Tensor

    def forward(self, points: Tensor) -> Tensor:
        phases = points @ self.directions
        return math.sqrt(2) * torch.cat([phases.sin(), phases.cos()], dim=1)


def _dense(*widths: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [started(nn.Linear(before, after), math.sqrt(2)), nn.LeakyReLU(0.2)]
    return [*layers, nn.Linear(widths[-2], widths[-1])]


if __name__ == "__main__":
    raise SystemExit(main())
