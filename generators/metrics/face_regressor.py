"""A small network that reads 17 action units and the head's pose off a face: the judge of edited faces.

It learns from the training part of the shared faces alone and no system trains against it. Faces are shifted,
scaled, mirrored and changed in contrast while it learns, so that it does not depend on one crop.
`python -m generators.metrics.face_regressor` trains it and prints its errors on held-out faces. There the
mean absolute error of yaw is 2.1 degrees (always saying the median: 10.8), of pitch 1.9 (6.4), of roll 0.8
(1.6); of AU12 0.075 (0.316), AU04 0.079 (0.192), AU10 0.064 (0.149), AU07 0.078 (0.145), AU45 0.064 (0.106).
AU05, AU14, AU15, AU17, AU18, AU20, AU24 and AU28 are read little or no better than by their median.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators.data import units
from generators.data.units import UnitSet
from generators.metrics.keeping import load_or_train
from generators.training.budget import rng_at

FACES = "faces-lfw+faces-celeba"
SIZE = 64
KEPT = Path("runs") / "face_regressor"
POSES = ("yaw", "pitch", "roll")

# About their deviations over the shared faces, so that one loss weighs the angles alike.
_DEGREES = (14.4, 8.9, 2.8)


@dataclass(frozen=True)
class Reading:
    """What a face shows: units (B, U) in [0, 1]; yaw, pitch and roll (B, 3) in degrees."""

    units: Tensor
    pose: Tensor

    @property
    def yaw(self) -> Tensor:
        """Degrees (B,), positive with the nose to the picture's right."""
        return self.pose[:, 0]


class FaceRegressor(nn.Module):
    """Faces (B, 3, H, W) in [-1, 1], of any size, brought to 64 px."""

    def __init__(self, names: tuple[str, ...], width: int = 32) -> None:
        super().__init__()
        self.names = names
        layers: list[nn.Module] = []
        inputs = 3
        for outputs, stride in ((1, 2), (2, 2), (2, 1), (4, 2), (4, 1), (6, 2)):
            layers += [
                nn.Conv2d(inputs, outputs * width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs * width),
                nn.ReLU(),
            ]
            inputs = outputs * width
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3))  # -> (B, 6 * width * 4 * 4)
        self.head = nn.Linear(inputs * 16, len(names) + len(POSES))
        self.register_buffer("degrees", torch.tensor(_DEGREES), persistent=False)

    def forward(self, faces: Tensor) -> Reading:
        if faces.shape[-1] != SIZE or faces.shape[-2] != SIZE:
            faces = F.interpolate(faces, (SIZE, SIZE), mode="bilinear", antialias=True)
        answer = self.head(self.trunk(faces)).float()
        count = len(self.names)
        return Reading(answer[:, :count].sigmoid(), answer[:, count:] * self.degrees)


@torch.enable_grad()  # figures are taken without
def train_regressor(faces: UnitSet, *, steps: int = 2_400, batch: int = 64, seed: int = 0) -> FaceRegressor:
    """A regressor that learned from `faces`; the same for the same `seed` on one kind of machine."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        regressor = FaceRegressor(faces.names["units"]).train()
        regressor.to(memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(regressor.parameters(), lr=2e-3, weight_decay=0.02)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = 2e-3 * min(1.0, (step + 1) / 50, 1.05 - step / steps)
            images, wanted = changed(faces, batch, rng_at(seed, step, "face regressor"))
            with torch.autocast("cpu", torch.bfloat16):
                found = regressor(images.contiguous(memory_format=torch.channels_last))
            units_off = (found.units - wanted.units).square().sum(1)
            # A folder of faces has no measured pose: nothing to learn there.
            pose_off = ((found.pose - wanted.pose) / regressor.degrees).nan_to_num().square().sum(1)
            optimiser.zero_grad()
            torch.autograd.backward((units_off + 0.1 * pose_off).mean())
            optimiser.step()
    return regressor.requires_grad_(False).eval()


def changed(faces: UnitSet, count: int, rng: torch.Generator) -> tuple[Tensor, Reading]:
    """`count` faces (count, 3, S, S), shifted, scaled, mirrored and of other contrast, and what they show."""
    chosen = torch.randint(len(faces), (count,), generator=rng)
    draws = torch.rand(count, 6, generator=rng)
    mirrored = draws[:, 0] < 0.5
    sign = torch.where(mirrored, -1.0, 1.0)
    scale = 0.88 + 0.24 * draws[:, 1]
    zero = torch.zeros_like(scale)
    across, down = 0.2 * draws[:, 2] - 0.1, 0.2 * draws[:, 3] - 0.1
    rows = torch.stack((torch.stack((scale * sign, zero, across), 1), torch.stack((zero, scale, down), 1)), 1)
    images = faces.images(chosen)
    places = F.affine_grid(rows, list(images.shape), align_corners=False)
    seen = F.grid_sample(images, places, padding_mode="reflection", align_corners=False)
    contrast, light = 0.7 + 0.6 * draws[:, 4], 0.4 * draws[:, 5] - 0.2
    seen = (seen * contrast[:, None, None, None] + light[:, None, None, None]).clamp(-1, 1)
    # In a mirror yaw and roll point the other way.
    turned = torch.stack((sign, torch.ones_like(sign), sign), 1)
    return seen, Reading(faces.units[chosen], faces.pose[chosen] * turned)


@torch.no_grad()
def read(regressor: FaceRegressor, faces: Tensor, *, batch: int = 64) -> Reading:
    """What `faces` (N, 3, H, W) show, a few at a time, on the regressor's device."""
    device = next(regressor.parameters()).device
    parts = [regressor(part.float().to(device)) for part in torch.split(faces, batch)]
    return Reading(torch.cat([part.units for part in parts]), torch.cat([part.pose for part in parts]))


def errors(regressor: FaceRegressor, faces: UnitSet, known: UnitSet) -> dict[str, tuple[float, float]]:
    """For each unit and angle the mean absolute error on `faces`, and that of saying `known`'s median."""
    found = read(regressor, faces.images(torch.arange(len(faces))))
    table: dict[str, tuple[float, float]] = {}
    for names, values, truth, trained in (
        (regressor.names, found.units, faces.units, known.units),
        (POSES, found.pose, faces.pose, known.pose),
    ):
        off = (values - truth).abs().mean(0)
        constant = (trained.median(0).values - truth).abs().mean(0)
        table |= {name: (float(off[n]), float(constant[n])) for n, name in enumerate(names)}
    return table


def edit_errors(
    judge: FaceRegressor, sources: Tensor, edited: Tensor, *, own: Tensor, asked: Tensor
) -> dict[str, float]:
    """How far the units read off `edited` faces (N, 3, H, W) are from those `asked` for (N, U).

    All are mean absolute errors over the units that vary (deviation 0.05 or more): `au_error` the edited
    faces', `au_error_untouched` that of the sources left as they are, `au_error_judge` the judge's own, its
    reading of the sources against their measured units. `moved` is the slope of the change that is read on
    the change that was asked for: 0 where nothing obeys, 1 where all does.
    """
    varying = own.std(0) >= 0.05
    before, after = (read(judge, faces.cpu()).units.to(own) for faces in (sources, edited))

    def error(found: Tensor, wanted: Tensor) -> float:
        return float((found - wanted).abs()[:, varying].mean())

    wanted = (asked - own)[:, varying]
    return {
        "au_error": error(after, asked),
        "au_error_untouched": error(before, asked),
        "au_error_judge": error(before, own),
        "moved": float(((after - before)[:, varying] * wanted).sum() / wanted.square().sum()),
    }


def regressor_of(folder: Path = KEPT, *, faces: UnitSet | None = None) -> FaceRegressor:
    """The regressor of `faces` kept in `folder`, trained and kept there the first time.

    None stands for the training part of the shared faces.
    """
    known = units.open_set(FACES, (3, SIZE, SIZE), split="train") if faces is None else faces
    key = (sorted(known.sha256.items()), len(known), known.pixels.shape[1])
    shaped = partial(FaceRegressor, known.names["units"])
    return load_or_train(folder, key, shaped=shaped, trained=lambda: train_regressor(known))


def main() -> None:
    """Train the regressor if it is not kept, and print its errors on held-out faces."""
    regressor = regressor_of()
    held_out, known = (units.open_set(FACES, (3, SIZE, SIZE), split=part) for part in ("test", "train"))
    print(f"{len(known)} faces learned from, {len(held_out)} judged; mean absolute error, constant's error")
    for name, (off, constant) in errors(regressor, held_out, known).items():
        print(f"{name:6} {off:7.3f} {constant:7.3f}")


if __name__ == "__main__":
    main()
