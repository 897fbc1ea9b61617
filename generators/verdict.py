"""Whether a finished run may become a model: its figures on data it was not trained on, and their floors.

Every run is measured the same way on the moving average, and systems add figures of their own
(`AdversarialModel.figures`). A run below a floor of its preset keeps its folder and this verdict, but
`touchstone export` refuses to make a model of it. Some figures need more than a folder of pictures gives:
classes, a held-out part, label maps. A floor of such a figure holds nobody back, and the verdict names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from evidence.errors import DataError
from generators import catalogue
from generators.contract import AdversarialModel, Floor, TrainingData
from generators.metrics.compare import compare
from generators.metrics.features import RandomConvolutions, features_of
from generators.metrics.fid import fid
from generators.metrics.precision_recall import NEIGHBOURS
from generators.training.budget import rng_at
from generators.training.checkpoint import write_text

VERDICT = "verdict.json"
SAMPLES = 512
BATCH = 32


@dataclass(frozen=True)
class Judgement:
    """The figures of a run, the floors in words, and a sentence for each floor it missed.

    `unmeasured` has a sentence for each floor whose figure this data cannot give.
    """

    figures: dict[str, float]
    floors: dict[str, str]
    missed: tuple[str, ...]
    samples: int
    extractor: str
    unmeasured: tuple[str, ...] = ()
    neighbours: int = NEIGHBOURS

    @property
    def ships(self) -> bool:
        """Whether every floor was reached whose figure could be measured."""
        return not self.missed

    @property
    def words(self) -> str:
        """What whoever trained the run has to know, "" when all floors were measured and reached."""
        missed = "Below its floor, so it becomes no model: " if self.missed else ""
        return " ".join((*((missed + " ".join(self.missed),) if missed else ()), *self.unmeasured))

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
    own, why = _own_figures(model, held_out)
    figures = found.scores | {"fid_ratio": ratio} | own
    named = [(_named(floor.figure, figures), floor) for floor in floors]
    return Judgement(
        figures=figures,
        floors={name: floor.words for name, floor in named},
        missed=tuple(
            f"{name} is {figures[name]:.4g}, but {floor.words} is the floor."
            for name, floor in named
            if name in figures and not floor.holds(figures[name])
        ),
        samples=samples,
        extractor=found.extractor,
        unmeasured=tuple(
            f"{name} cannot be measured on this data, so nobody knows whether it reaches its floor, "
            f"{floor.words}.{why}"
            for name, floor in named
            if name not in figures
        ),
    )


@torch.no_grad()
def _own_figures(model: AdversarialModel, held_out: TrainingData) -> tuple[dict[str, float], str]:
    """The system's own figures; without the data that their judge learns from none, and the reason."""
    try:
        return model.figures(held_out, rng_at(0, 0, "figures", _device(model))), ""
    except DataError as error:
        return {}, f" {error}"


def _named(figure: str, figures: Mapping[str, float]) -> str:
    """`coverage` as the verdict has it, with the mark of the extractor: `coverage@b2c19c7a`."""
    return next((name for name in figures if name.partition("@")[0] == figure), figure)


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
