"""Precision and recall of generated images, and their steadier kin density and coverage.

A set's manifold is the union of balls round its features, each reaching to its k-th nearest neighbour
(Kynkäänniemi et al. 2019, 1904.06991; density and coverage: Naeem et al. 2020, 2002.09797).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generators.metrics.features import Features

NEIGHBOURS = 3  # Kynkäänniemi et al. 2019, and torch-fidelity

# Rows of a distance matrix held at once: 1 000 x 10 000 float64 are 80 MB.
_ROWS = 1_000


@dataclass(frozen=True)
class PrecisionRecall:
    """Shares of fakes among reals and of reals among fakes; density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(real: Features, fake: Features, *, k: int = NEIGHBOURS) -> PrecisionRecall:
    """All four for (N, D) features with balls to the `k`-th neighbour; time grows with N squared."""
    real_reach, fake_reach = _reach(real, k), _reach(fake, k)
    inside = np.zeros(len(fake), np.int64)  # in how many real balls each fake lies
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for at in range(0, len(real), _ROWS):
        rows = slice(at, at + _ROWS)
        distances = _distances(real[rows], fake)
        in_real_ball = distances <= real_reach[rows, None]
        inside += in_real_ball.sum(axis=0)
        covered[rows] = in_real_ball.any(axis=1)
        recalled[rows] = (distances <= fake_reach[None, :]).any(axis=1)
    return PrecisionRecall(
        precision=float((inside > 0).mean()),
        recall=float(recalled.mean()),
        density=float(inside.mean() / k),
        coverage=float(covered.mean()),
    )


def _reach(features: Features, k: int) -> NDArray[np.float64]:
    """Each feature's squared distance to its k-th nearest other."""
    parts = [
        # The nearest is the feature itself, hence place k and not k - 1.
        np.partition(_distances(features[at : at + _ROWS], features), k, axis=1)[:, k]
        for at in range(0, len(features), _ROWS)
    ]
    return np.concatenate(parts)


def _distances(a: Features, b: Features) -> Features:
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2 * a @ b.T
    found: Features = squares.clip(min=0.0)
    return found
