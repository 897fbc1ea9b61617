"""Trainings to be set side by side at one small budget: ours, ours with one part taken out, and baselines.

All see the same pairs in the same number, so that a difference in the tables is that of the part or the
idea. What a part is, is said in its row of `CONTENDERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from detector.baselines import BASELINES, BLUR_AND_JPEG, BaselineConfig, load_baseline
from detector.corrupt import CorruptionConfig
from detector.entries import NO_GENERATOR, Entry
from detector.model import PRESETS, FakeDetector, load
from detector.pairs import PairConfig
from detector.train import TrainConfig
from detector.treatments import TREATMENTS

Change = Callable[[TrainConfig], TrainConfig]

OURS = "ours"
# What is done to pictures on their way; the rest of the chain makes hard reals.
_DELIVERY = CorruptionConfig(
    weights=(("jpeg", 5.0), ("resize", 5.0), ("webp", 0.7), ("video", 1.5), ("avif", 0.2))
)


@dataclass(frozen=True)
class Contender:
    """A training by what is other than in ours, in words and as a change of its configuration."""

    words: str
    change: Change


def training_of(name: str, *, left_out: tuple[str, ...] = (), crops: int = 4_000_000) -> TrainConfig:
    """How a contender of `CONTENDERS` is trained on so many crops, never seeing the families left out."""
    # Few crops: steps are smaller, degradations ramp up sooner, averages forget sooner.
    pairs = PairConfig(pairs=24, left_out=left_out, ramp_crops=crops // 2, cache_bytes=2 * 1024**3)
    plain = TrainConfig(
        pairs=pairs,
        total_crops=crops,
        warm_up_crops=crops // 8,
        half_life_crops=crops / 8,
        look_seconds=3600.0,
    )
    return CONTENDERS[name].change(plain)


def load_contender(path: Path) -> FakeDetector:
    """The trained network in a contender's file, in evaluation mode."""
    fields = torch.load(path, map_location="cpu", weights_only=True)["config"]
    return load_baseline(path) if "idea" in fields else load(path)


def folds(entries: Sequence[Entry], count: int) -> list[tuple[str, ...]]:
    """Every family that a generator made, once, in `count` folds.

    Sorted by kind and name they are dealt out in turn, so that a fold leaves families of many kinds out.
    """
    found = {(entry.kind, entry.family) for entry in entries if entry.label == "fake"}
    families = [family for kind, family in sorted(found) if kind not in NO_GENERATOR]
    return [tuple(families[place::count]) for place in range(count)]


def _with(**changes: Any) -> Change:
    return lambda config: replace(config, **changes)


def _pairs(**changes: Any) -> Change:
    return lambda config: replace(config, pairs=replace(config.pairs, **changes))


def _without_masks(config: TrainConfig) -> TrainConfig:
    return replace(_pairs(partial=0.0, blended=0.0)(config), cell_weight=0.0)


def _baseline(name: str) -> Change:
    model = BASELINES[name]
    if name != "cnn":
        return _with(model=model)
    return lambda config: replace(config, model=model, pairs=replace(config.pairs, corruption=BLUR_AND_JPEG))


_DEFAULT = PRESETS["default"]
ABLATIONS: dict[str, Contender] = {
    "no alignment": Contender(
        "the real beside a fake is any other picture, and each side is degraded by a draw of its own",
        _pairs(aligned=False),
    ),
    "no alignment, formats as usual": Contender(
        "besides, reals alone are saved as JPEG of quality 75 to 98 once more, as in data sets whose reals "
        "came as JPEG and whose fakes were kept lossless",
        _pairs(aligned=False, formats_alike=False),
    ),
    "no hard reals": Contender(
        f"no twins of the {len(TREATMENTS)} treatments; degraded by what delivery does alone (JPEG, WebP, "
        "AVIF, H.264, resizing), not by blur, noise, denoising, tones, screenshots and their like",
        _pairs(left_out_treatments=tuple(TREATMENTS), corruption=_DELIVERY),
    ),
    "no stems": Contender(
        "both experts see normalised colours instead of residuals",
        _with(model=BaselineConfig(_DEFAULT.backbone, _DEFAULT.half, idea="colours")),
    ),
    "no masks": Contender(
        "no twin is forged in a patch or mixed with its real, and no cell is answered for", _without_masks
    ),
    "nothing hidden": Contender(
        "no patches and no frequencies are dropped", _with(patch_dropout=0.0, frequency_dropout=0.0)
    ),
}
CONTENDERS: dict[str, Contender] = {
    OURS: Contender("the training of the release, cut to this budget", _with()),
    **ABLATIONS,
    "cnn": Contender("colours; degraded by blur and JPEG (Wang et al. 2020)", _baseline("cnn")),
    "npr": Contender("the residual of the nearest neighbour (NPR, Tan et al. 2023)", _baseline("npr")),
    "haar": Contender("the diagonal band of Haar's wavelet (SAFE, Li et al. 2024)", _baseline("haar")),
    "median": Contender("x less the median around it (FerretNet, 2025)", _baseline("median")),
    "patch": Contender(
        "the residual of npr in patches of 8 x 8 px (LaDeDa, Cavia et al. 2024)", _baseline("patch")
    ),
}
