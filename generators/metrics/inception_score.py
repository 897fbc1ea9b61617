"""The Inception score on any classifier's probabilities (Salimans et al. 2016, 1606.03498, section 4).

Meaningless on sets without classes, faces for one. With our digit classifier it runs from 1 to 10.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def inception_score(probabilities: NDArray[np.float64], *, splits: int = 1) -> tuple[float, float]:
    """exp E KL(p(y|x) || p(y)) for probabilities (N, K): its mean and deviation over `splits`.

    Published scores use ten splits; fewer images a split lower the score.
    """
    scores = []
    for part in np.array_split(probabilities, splits):
        marginal = part.mean(axis=0, keepdims=True)
        divergence = (part * (np.log(part + 1e-16) - np.log(marginal + 1e-16))).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return float(np.mean(scores)), float(np.std(scores))
