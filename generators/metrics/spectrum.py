"""How far apart the mean power spectra of two sets lie: upsamplers leave their mark in high frequencies.

The azimuthal average of Durall et al. 2020 (2003.01826, section 3): log power over rings of equal spatial
frequency, averaged over a set; the distance is the mean absolute difference in decibels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def profiles(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Ring averages (B, R) in decibels of the luminance of images (B, C, H, W) in [-1, 1].

    A Hann window keeps the picture's edges out; the largest central square of a power of two is read.
    """
    side = 2 ** int(np.log2(min(images.shape[2:])))
    top, left = ((length - side) // 2 for length in images.shape[2:])
    grey = images.mean(axis=1)[:, top : top + side, left : left + side].astype(np.float64)
    window = np.outer(np.hanning(side), np.hanning(side))
    grey = (grey - grey.mean(axis=(1, 2), keepdims=True)) * window
    power = np.abs(np.fft.rfft2(grey)) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    ring = np.rint(frequency * side).astype(int)
    rings = range(1, side // 2 + 1)  # beyond half the sampling rate only the corners are left
    return np.stack([10 * np.log10(power[:, ring == at].mean(axis=1) + 1e-12) for at in rings], axis=1)


def spectrum_distance(real: NDArray[np.float64], fake: NDArray[np.float64]) -> float:
    """The mean absolute difference of the mean profiles of two sets (N, R), in decibels."""
    return float(np.abs(real.mean(axis=0) - fake.mean(axis=0)).mean())
