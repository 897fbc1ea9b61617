"""What `touchstone metrics` does: read two sets once each, then every score that their number allows.

A score that cannot be had is left out with a sentence that says why. Extractor, its hash, resize and
counts stand in the result, since a Frechet distance means nothing without them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from evidence.errors import DataError
from generators.metrics import sliced_wasserstein as swd
from generators.metrics.features import Features, RandomConvolutions, digest, quantised
from generators.metrics.fid import fid
from generators.metrics.inception import Inception, find_weights
from generators.metrics.inception_score import inception_score
from generators.metrics.kid import kid
from generators.metrics.pictures import PictureSet
from generators.metrics.precision_recall import NEIGHBOURS, precision_recall
from generators.metrics.spectrum import profiles, spectrum_distance

ExtractorName = Literal["inception", "random"]
BATCH = 32
PATCH_PICTURES = 512  # pictures whose patches are kept: 128 patches of 588 bytes each
IS_SPLITS = 10

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Measurement:
    """Scores by name, why others are missing, and all that a reader needs to compare them."""

    scores: dict[str, float]
    left_out: dict[str, str]
    extractor: str
    resizer: str
    reals: dict[str, Any]
    fakes: dict[str, Any]
    neighbours: int = NEIGHBOURS

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {"schema": "touchstone.metrics/1", **asdict(self)}


@dataclass
class _Side:
    """What one pass over a set collects."""

    features: Features
    probabilities: NDArray[np.float64] | None
    spectra: NDArray[np.float64] | None
    patches: dict[int, swd.Patches] = field(default_factory=dict)
    sides: set[tuple[int, int]] = field(default_factory=set)


def measure(
    reals: PictureSet,
    fakes: PictureSet,
    *,
    extractor: ExtractorName = "inception",
    inception: str | None = None,
    on_progress: OnProgress | None = None,
) -> Measurement:
    """Every score of `fakes` against `reals`; `inception` is the path or address of the weights.

    Raises ModelNotFound when they are wanted and absent, DataError for fewer than two pictures a side.
    """
    for part in (reals, fakes):
        if len(part) < 2:
            raise DataError(f"{part.name} has {len(part)} picture.", "Scores need at least two a side.")
    net = Inception(find_weights(inception)) if extractor == "inception" else RandomConvolutions()
    mark = digest(net)
    real, fake = (_read(part, net, on_progress) for part in (reals, fakes))
    scores: dict[str, float] = {}
    left_out: dict[str, str] = {}
    # Only the Inception network's distances may go without a mark.
    at = "" if isinstance(net, Inception) else f"@{mark}"
    _distances(scores, left_out, real.features, fake.features, at)
    _inception_score(scores, left_out, fake.probabilities)
    _low_level(scores, left_out, real, fake)
    resizer = net.resizer if isinstance(net, Inception) else f"bilinear, antialiased, {net.size} px"
    return Measurement(
        {name: float(f"{value:.6g}") for name, value in scores.items()},
        left_out,
        f"{net.name}@{mark}",
        resizer,
        _described(reals),
        _described(fakes),
    )


def _read(part: PictureSet, net: Inception | RandomConvolutions, on_progress: OnProgress | None) -> _Side:
    features, probabilities, spectra = [], [], []
    patches: dict[int, list[swd.Patches]] = {}
    sides: set[tuple[int, int]] = set()
    seen = 0
    for images in part.batches(BATCH):
        if isinstance(net, Inception):
            found, logits = net.both(images)
            probabilities.append(logits.double().softmax(dim=1).numpy())
        else:
            with torch.no_grad():
                found = net.features(quantised(images))
        features.append(found.double().numpy())
        sides.add((images.shape[2], images.shape[3]))
        if len(sides) == 1:
            spectra.append(profiles(images.numpy()))
            if seen < PATCH_PICTURES:
                for side, taken in swd.patches(images.numpy(), first=seen).items():
                    patches.setdefault(side, []).append(taken)
        seen += len(images)
        if on_progress is not None:
            on_progress(part.name, seen, len(part))
    one_size = len(sides) == 1
    return _Side(
        np.concatenate(features),
        np.concatenate(probabilities) if probabilities else None,
        np.concatenate(spectra) if one_size else None,
        {side: np.concatenate(taken) for side, taken in patches.items()} if one_size else {},
        sides,
    )


def _distances(
    scores: dict[str, float], left_out: dict[str, str], real: Features, fake: Features, at: str
) -> None:
    width, fewest = real.shape[1], min(len(real), len(fake))
    if fewest > width:
        scores[f"FID{at}"] = fid(real, fake)
    else:
        left_out[f"FID{at}"] = (
            f"{fewest} pictures a side for {width} features: the covariance is singular; read KID."
        )
    kernel = kid(real, fake)
    scores[f"KID{at}"], scores[f"KID{at} deviation"] = kernel.mean, kernel.deviation
    if fewest > NEIGHBOURS:
        shares = precision_recall(real, fake)
        scores |= {f"{name}{at}": value for name, value in asdict(shares).items()}
    else:
        left_out[f"precision{at}"] = f"it looks at {NEIGHBOURS} neighbours of each picture."


def _inception_score(
    scores: dict[str, float], left_out: dict[str, str], probabilities: NDArray[np.float64] | None
) -> None:
    if probabilities is None:
        left_out["IS"] = "it is defined on the Inception network's classes."
        return
    splits = min(IS_SPLITS, len(probabilities))
    shuffled = probabilities[np.random.RandomState(2020).permutation(len(probabilities))]
    scores["IS"], scores["IS deviation"] = inception_score(shuffled, splits=splits)


def _low_level(scores: dict[str, float], left_out: dict[str, str], real: _Side, fake: _Side) -> None:
    if real.spectra is None or fake.spectra is None or real.sides != fake.sides:
        why = "all pictures of both sides must have one size; --size squares them."
        left_out |= {"SWD": why, "spectrum": why}
        return
    scores["spectrum dB"] = spectrum_distance(real.spectra, fake.spectra)
    if min(next(iter(real.sides))) < swd.PATCH:
        left_out["SWD"] = f"pictures are smaller than its patches of {swd.PATCH} pixels."
        return
    by_level = swd.sliced_wasserstein(real.patches, fake.patches)
    scores |= {f"SWD {side} px": value for side, value in sorted(by_level.items(), reverse=True)}
    scores["SWD mean"] = float(np.mean(list(by_level.values())))


def _described(part: PictureSet) -> dict[str, Any]:
    return {"name": part.name, "pictures": len(part), "sha256": part.sha256, "squared_to": part.size}
