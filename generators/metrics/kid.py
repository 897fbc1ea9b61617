"""The kernel distance between two sets of features, unbiased at any sample size (Bińkowski et al. 2018).

1801.01401, section 4: the squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, averaged over
random subsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generators.metrics.features import Features


@dataclass(frozen=True)
class KernelDistance:
    """The mean over subsets and its standard deviation."""

    mean: float
    deviation: float


def kid(
    real: Features, fake: Features, *, subsets: int = 100, size: int = 1000, seed: int = 0
) -> KernelDistance:
    """The distance of (N, D) features, over `subsets` draws of at most `size` a side; may be below zero."""
    rng = np.random.default_rng(seed)
    size = min(size, len(real), len(fake))
    found = [
        squared_discrepancy(
            real[rng.choice(len(real), size, replace=False)], fake[rng.choice(len(fake), size, replace=False)]
        )
        for _ in range(subsets)
    ]
    return KernelDistance(float(np.mean(found)), float(np.std(found)))


def squared_discrepancy(a: Features, b: Features) -> float:
    """The unbiased estimate of the squared discrepancy: self-similarities leave out the diagonal."""
    within = sum(_off_diagonal_mean(_kernel(part, part)) for part in (a, b))
    return float(within - 2 * _kernel(a, b).mean())


def _kernel(a: Features, b: Features) -> Features:
    kernel: Features = (a @ b.T / a.shape[1] + 1.0) ** 3
    return kernel


def _off_diagonal_mean(kernel: Features) -> float:
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
