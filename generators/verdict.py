"""Whether a finished run may become a model: its figures on data it was not trained on, and their floors.

Every run is measured the same way on the moving average, and systems add figures of their own
(`AdversarialModel.figures`). A run below a floor of its preset keeps its folder and this verdict, but
`touchstone export` refuses to make a model of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from generators import catalogue
from generators.contract import AdversarialModel, Floor, TrainingData
from generators.metrics.compare import compare
from generators.metrics.features import RandomConvolutions, features_of
from generators.metrics.fid import fid
from generators.training.budget import rng_at
from generators.training.checkpoint import write_text

VERDICT = "verdict.json"
SAMPLES = 512
BATCH = 32


@dataclass(frozen=True)
class Judgement:
    """The figures of a run, the floors in words, and a sentence for each floor it missed."""

    figures: dict[str, float]
    floors: dict[str, str]
    missed: tuple[str, ...]
    samples: int
    extractor: str

    @property
    def ships(self) -> bool:
        """Whether every floor was reached."""
        return not self.missed

    def write(self, folder: Path) -> None:
        """Write verdict.json into the run's folder."""
        write_text(folder / VERDICT, json.dumps(asdict(self) | {"ships": self.ships}, indent=2) + "\n")


def judge(
    model: AdversarialModel, held_out: TrainingData, floors: Sequence[Floor], *, samples: int = SAMPLES
) -> Judgement:
    """Measure `model`, in eval mode with the average in its generator, against as many held-out reals.

    `fid_ratio` is the Frechet distance of the samples over that of an untrained generator's: 0 is perfect,
    1 is nothing learnt. A system that answers pictures may hand them back untrained, so there the distance of
    even grey stands below. All are on random convolutions and compare within this project only.
    """
    reals, fakes = _pairs(model, held_out, samples)
    extractor = RandomConvolutions(model.image_shape[0])
    nothing = torch.zeros_like(reals)
    if model.task in ("noise", "class", "caption"):
        untrained = catalogue.build(model.origin, model.config, model.optimisation).eval()
        nothing = _pairs(untrained, held_out, samples)[1]
    real = features_of(extractor, reals)
    ratio = fid(real, features_of(extractor, fakes)) / fid(real, features_of(extractor, nothing))
    found = compare(extractor, reals, fakes)
    with torch.no_grad():
        own = model.figures(held_out, rng_at(0, 0, "figures", _device(model)))
    figures = found.scores | {"fid_ratio": ratio} | own
    missed = tuple(
        f"{floor.figure} is {figures[floor.figure]:.4g}, but {floor.words} is the floor."
        for floor in floors
        if not floor.holds(figures[floor.figure])
    )
    words = {floor.figure: floor.words for floor in floors}
    return Judgement(figures, words, missed, samples, found.extractor)


@torch.no_grad()
def _pairs(model: AdversarialModel, held_out: TrainingData, count: int) -> tuple[Tensor, Tensor]:
    """`count` reals and as many samples (N, C, H, W), the latter conditioned on the former."""
    reals, fakes = [], []
    for start in range(0, count, BATCH):
        batch = held_out.draw(BATCH, rng_at(0, start, "judge data"), _device(model))
        reals.append(batch.images.cpu())
        fakes.append(model.sample(batch, BATCH, rng_at(0, start, "judge", _device(model))).float().cpu())
    return torch.cat(reals), torch.cat(fakes)


def _device(model: AdversarialModel) -> torch.device:
    return next(model.generator.parameters()).device
