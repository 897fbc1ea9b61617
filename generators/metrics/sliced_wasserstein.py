"""The sliced Wasserstein distance of Laplacian patches (Karras et al. 2017, 1710.10196, section 5).

Patches of 7 x 7 pixels from each level of a Laplacian pyramid, normalised by channel, projected on random
directions; along each the distance of two sets is that of their sorted values. A level tells at which
scale fakes differ. It needs no weights and both sets at one size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Patches = NDArray[np.float32]  # (N, P)
PATCH = 7
SMALLEST = 16
_KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32) / 256


def patches(
    images: NDArray[np.float32], *, per_image: int = 128, seed: int = 0, first: int = 0
) -> dict[int, Patches]:
    """Random patches of images (B, C, H, W) by the side of their pyramid level, coarsest 16 px or so.

    The places depend on (seed, number of the image) alone; `first` is the number of the first image.
    """
    found = {}
    for level in _pyramid(images):
        count, channels, height, width = level.shape
        taken = np.empty((count, per_image, channels, PATCH, PATCH), np.float32)
        for index in range(count):
            rng = np.random.default_rng((seed, first + index, height))
            tops = rng.integers(0, height - PATCH + 1, per_image)
            lefts = rng.integers(0, width - PATCH + 1, per_image)
            windows = np.lib.stride_tricks.sliding_window_view(level[index], (PATCH, PATCH), axis=(1, 2))
            taken[index] = windows[:, tops, lefts].transpose(1, 0, 2, 3)
        found[height] = taken.reshape(count * per_image, -1)
    return found


def sliced_wasserstein(
    real: dict[int, Patches], fake: dict[int, Patches], *, projections: int = 512, seed: int = 0
) -> dict[int, float]:
    """The distance by level, times 1 000 as the paper prints it; sets of unequal size lose the surplus."""
    return {
        side: 1_000 * _distance(_normalised(real[side]), _normalised(fake[side]), projections, seed)
        for side in real.keys() & fake.keys()
    }


def _distance(a: Patches, b: Patches, projections: int, seed: int) -> float:
    count = min(len(a), len(b))
    directions = np.random.default_rng(seed).standard_normal((a.shape[1], projections)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    found = [
        np.abs(np.sort(a[:count] @ column) - np.sort(b[:count] @ column)).mean() for column in directions.T
    ]
    return float(np.mean(found))


def _normalised(found: Patches) -> Patches:
    """Each colour channel to mean 0 and deviation 1 over all patches."""
    shaped = found.reshape(len(found), -1, PATCH * PATCH)
    mean = shaped.mean(axis=(0, 2), keepdims=True)
    deviation = shaped.std(axis=(0, 2), keepdims=True)
    normalised: Patches = (shaped - mean) / np.maximum(deviation, np.float32(1e-6))
    return normalised.reshape(len(found), -1)


def _pyramid(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    levels, current = [], images
    while min(current.shape[2:]) >= 2 * SMALLEST:
        smaller = _blurred(current)[:, :, ::2, ::2]
        levels.append(current - _enlarged(smaller, current.shape[2:]))
        current = smaller
    return [*levels, current]


def _blurred(images: NDArray[np.float32], gain: float = 1.0) -> NDArray[np.float32]:
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    height, width = images.shape[2:]
    total = np.zeros_like(images)
    for row in range(5):
        for column in range(5):
            total += gain * _KERNEL[row, column] * padded[:, :, row : row + height, column : column + width]
    return total


def _enlarged(images: NDArray[np.float32], sides: tuple[int, ...]) -> NDArray[np.float32]:
    spread = np.zeros((*images.shape[:2], *sides), np.float32)
    spread[:, :, ::2, ::2] = images
    return _blurred(spread, gain=4.0)
