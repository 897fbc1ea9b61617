"""Who made a forgery: the families a detector was trained against, or none of them.

A detector's third output is a logit for each family, which means something of forged pixels only; so each
tile votes as far as it looks forged. Probabilities are a softmax after temperature scaling (Guo et al. 2017,
arXiv 1706.04599); the largest of them says whether it is any of these families at all (Hendrycks and Gimpel
2017, arXiv 1610.02136). A family is named from where on the naming was right often enough; below that the
forger is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detector.odds import sigmoid, softmax
from evidence.errors import DataError
from evidence.verdict import Attribution

Array = NDArray[np.float64]

UNKNOWN = "unknown"
LISTED = 3  # families that a report names
FEWEST = 50  # forgeries behind a bound; fewer carry none
_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(10.0), 80))


@dataclass(frozen=True)
class FamilyReading:
    """How the family logits of a detector are read.

    `known_at` is the probability of the best family from which it is named; above 1 none ever is. `right` is
    the share of the named that were named rightly, `named` the share that were named at all, among the `n`
    forgeries it was fitted to.
    """

    families: tuple[str, ...]
    temperature: float = 1.0
    known_at: float = 2.0
    right: float = 0.0
    named: float = 0.0
    n: int = 0

    def probabilities(self, logits: ArrayLike) -> Array:
        """Logits (..., F) to probabilities of the families, which sum to 1."""
        return softmax(np.asarray(logits, np.float64) / self.temperature)

    def attribute(self, logits: ArrayLike) -> tuple[Attribution, ...]:
        """The families of a forged picture with `logits` (F,), the likeliest first; or `UNKNOWN`, first."""
        odds = self.probabilities(logits)
        order = np.argsort(-odds, kind="stable")[:LISTED]
        likely = tuple(Attribution(self.families[i], round(float(odds[i]), 4)) for i in order)
        best = float(odds[order[0]])
        if best >= self.known_at:
            return likely
        return (Attribution(UNKNOWN, round(1.0 - best, 4)), *likely)


def picture_families(tile_logits: ArrayLike, families: ArrayLike) -> Array:
    """Family logits (F,) of a picture from those of its tiles (N, F), which weigh as they look forged."""
    weights = sigmoid(tile_logits) + 1e-6
    return np.average(np.asarray(families, np.float64), axis=0, weights=weights)


def calibrate_families(
    logits: ArrayLike,
    labels: Sequence[int],
    families: Sequence[str],
    *,
    deliveries: Sequence[str] | None = None,
    right: float = 0.9,
) -> FamilyReading:
    """The reading fitted to forgeries that were not trained on: logits (N, F), `labels` places in `families`.

    A label of -1 is a forgery by none of them. The temperature is the likeliest for those with a family.
    `known_at` is the lowest bound above which at least `right` of the best families are the true ones, in
    `FEWEST` forgeries at least, for each of the `deliveries` by itself; where one has no such bound, fewer
    than `FEWEST` of it are named. Raises DataError with fewer than `FEWEST` forgeries of known families.
    """
    found, truth = np.asarray(logits, np.float64), np.asarray(labels)
    known = truth >= 0
    if known.sum() < FEWEST:
        raise DataError(
            f"{int(known.sum())} forgeries by known families do not tell how often their naming is right.",
            f"Use at least {FEWEST}.",
        )
    rows = np.arange(int(known.sum()))
    costs = [-np.log(softmax(found[known] / t)[rows, truth[known]] + 1e-12).mean() for t in _TEMPERATURES]
    temperature = float(_TEMPERATURES[int(np.argmin(costs))])
    odds = softmax(found / temperature)
    best, correct = odds.max(axis=1), odds.argmax(axis=1) == truth
    ways = np.zeros(len(truth)) if deliveries is None else np.asarray(deliveries)
    known_at = max(_bound(best[ways == way], correct[ways == way], right) for way in np.unique(ways))
    told = best >= known_at
    return FamilyReading(
        tuple(families),
        temperature,
        known_at,
        right=float(correct[told].mean()) if told.any() else 0.0,
        named=float(told.mean()),
        n=len(truth),
    )


def _bound(best: Array, correct: NDArray[np.bool_], right: float) -> float:
    """The lowest probability from which `right` of the named are right; where none is, fewer are named."""
    order = np.argsort(-best, kind="stable")
    shares = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(shares[FEWEST - 1 :] >= right) + FEWEST - 1
    if len(good):
        return float(best[order[good[-1]]])
    return float(np.nextafter(best[order[min(FEWEST, len(order)) - 1]], 2.0))
