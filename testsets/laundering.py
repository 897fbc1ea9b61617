"""Laundering: a picture is passed through something ordinary that takes a generator's traces with it.

No detector is asked. The picture keeps its size and its label: a forgery that was denoised is one still,
and a real that went through an autoencoder (`rebuild`) is for whoever keeps the set to label.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.corrupt import Step, apply
from evidence.medium import Pixels
from exports.editing import reconstruct
from exports.registry import registry
from exports.runtime import GeneratorSession

Rng = np.random.Generator
Launder = Callable[..., Pixels]

_AROUND = 17  # bins around a peak that tell how high the spectrum is without it
_GAUSSIAN_MAD = 0.6745  # the median absolute deviation of a unit normal


def notch(pixels: Pixels, rng: Rng, *, height: float, strength: float) -> Pixels:
    """Take out of the spectrum what stands `height` times above its surroundings: an upsampler's grid.

    Peaks are sought in what a median leaves, where edges of the depicted do not hide them; each is lowered
    to its surroundings, by `strength` of the way.
    """
    noise = pixels.astype(np.float32) - cv2.medianBlur(np.ascontiguousarray(pixels), 3)
    change = np.stack([_peaks(noise[..., colour], height) for colour in range(3)], axis=-1)
    return _settled(pixels - np.float32(strength) * change)


def resample(pixels: Pixels, rng: Rng, *, factor: float, kernel: str) -> Pixels:
    """To another size and back: up and down, or, below 1, down and up."""
    return apply(pixels, (Step("resize", {"factor": factor, "kernel": kernel, "back": True}),))


def renoise(pixels: Pixels, rng: Rng, *, strength: float, sigma: float) -> Pixels:
    """Denoise, then add noise of `sigma` grey levels, at 0 as much as was taken away."""
    smooth = apply(pixels, (Step("denoise", {"strength": strength}),))
    taken = np.abs(pixels.astype(np.float32) - smooth)
    level = sigma or max(0.5, float(np.median(taken)) / _GAUSSIAN_MAD)
    return apply(smooth, (Step("noise", {"sigma": level, "seed": int(rng.integers(2**31))}),))


def grid(pixels: Pixels, rng: Rng, *, quality: int, sampling: str) -> Pixels:
    """Lay a camera's compression over it: JPEG blocks on a grid of drawn place, then a saved crop's own."""
    first = {"quality": quality, "sampling": sampling, "shift": int(rng.integers(1, 8))}
    again = {"quality": min(100, quality + 5), "sampling": sampling}
    return apply(pixels, (Step("jpeg", first), Step("jpeg", again)))


def rebuild(pixels: Pixels, rng: Rng, *, model: str) -> Pixels:
    """Through one of our autoencoders: its traces lie over those that were there."""
    return reconstruct(_session(model), pixels)


def recode(pixels: Pixels, rng: Rng, *, times: int, quality: int) -> Pixels:
    """Encoded and decoded again, `times` times, by codecs and block grids that are drawn."""
    for _ in range(times):
        name = str(rng.choice(("jpeg", "webp", "avif")))
        settings = {"quality": int(rng.integers(quality, 101 if name == "jpeg" else 100))}
        settings |= {"shift": int(rng.integers(8))} if name == "jpeg" else {}
        pixels = apply(pixels, (Step(name, settings),))
    return pixels


def _peaks(plane: NDArray[np.float32], height: float) -> NDArray[np.float32]:
    """The part of a plane that its spectrum's peaks make, beyond what surrounds each."""
    spectrum = np.fft.fft2(plane)
    size = np.log(np.abs(spectrum) + 1e-3).astype(np.float32)
    reach = _AROUND // 2
    around = cv2.blur(np.pad(size, reach, mode="wrap"), (_AROUND, _AROUND))[reach:-reach, reach:-reach]
    high = size - around > np.log(height)
    excess = np.where(high, 1 - np.exp(around - size), 0)
    return np.asarray(np.fft.ifft2(spectrum * excess).real, np.float32)


def _settled(values: NDArray[np.float32]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _session(model: str) -> GeneratorSession:
    return GeneratorSession(registry().get(model), "cpu", threads=1)
