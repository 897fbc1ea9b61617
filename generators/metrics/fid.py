"""The Fréchet distance between two sets of features (Heusel et al. 2017, 1706.08500, Eq. 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evidence.errors import DataError
from generators.metrics.features import Features


def fid(real: Features, fake: Features) -> float:
    """The distance between Gaussians fitted to (N, D) features; falls with N, so compare at one N only.

    Raises DataError below D + 1 features a side, where the covariance is singular: use `kid` there.
    """
    for name, features in (("real", real), ("fake", fake)):
        count, width = features.shape
        if count <= width:
            raise DataError(
                f"There are {count} {name} images for {width} features.",
                f"Give more than {width}, or use KID.",
            )
    return frechet_distance(
        real.mean(axis=0), np.cov(real, rowvar=False), fake.mean(axis=0), np.cov(fake, rowvar=False)
    )


def frechet_distance(
    mean_a: NDArray[np.float64],
    covariance_a: NDArray[np.float64],
    mean_b: NDArray[np.float64],
    covariance_b: NDArray[np.float64],
) -> float:
    """|m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    The trace of the root is the sum of the roots of A B's eigenvalues, all real and not negative for
    covariances; rounding may push them a hair below zero.
    """
    eigenvalues = np.linalg.eigvals(covariance_a @ covariance_b).real.clip(min=0.0)
    between = np.square(mean_a - mean_b).sum()
    return float(between + np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.sqrt(eigenvalues).sum())
