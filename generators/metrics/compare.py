"""All scores of one set of fakes against one set of reals, with what is needed to compare them honestly."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from generators.metrics.features import Extractor, digest, features_of
from generators.metrics.fid import fid
from generators.metrics.kid import kid
from generators.metrics.precision_recall import precision_recall


@dataclass(frozen=True)
class Comparison:
    """Scores by name, the extractor in each name, and how many images stood on either side."""

    scores: dict[str, float]
    extractor: str
    reals: int
    fakes: int


def compare(extractor: Extractor, reals: Tensor, fakes: Tensor) -> Comparison:
    """FID, KID, precision, recall, density and coverage of images (N, C, H, W) in [-1, 1]."""
    mark = digest(extractor)
    real, fake = features_of(extractor, reals), features_of(extractor, fakes)
    kernel, shares = kid(real, fake), precision_recall(real, fake)
    scores = {
        f"FID@{mark}": fid(real, fake),
        f"KID@{mark}": kernel.mean,
        f"precision@{mark}": shares.precision,
        f"recall@{mark}": shares.recall,
        f"density@{mark}": shares.density,
        f"coverage@{mark}": shares.coverage,
    }
    return Comparison(scores, f"{extractor.name}@{mark}", len(reals), len(fakes))
