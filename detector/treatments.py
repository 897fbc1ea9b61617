"""Hard reals: what honest people do to photographs, kind by kind, each a chain of degradations.

A treated photograph is labelled real, and a forgery that went through the same stays a forgery. These are
the pictures that detectors are known to cry wolf at (`docs/training.md`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.corrupt import Step, draw_step
from detector.operations import SAMPLINGS

Rng = np.random.Generator


def treat(name: str, rng: Rng) -> tuple[Step, ...]:
    """The chain of one treatment of `TREATMENTS`; the same state of `rng` draws the same chain."""
    return TREATMENTS[name](rng)


def draw_writing(rng: Rng) -> tuple[int, str]:
    """The JPEG quality and chroma sampling that a treated picture is written with at the end."""
    return int(rng.integers(75, 99)), str(rng.choice(SAMPLINGS, p=(0.35, 0.1, 0.55)))


def _scaled(low: float, high: float) -> Callable[[Rng], tuple[Step, ...]]:
    return lambda rng: (draw_step(rng, "resize", factor=float(rng.uniform(low, high)), back=False),)


def _one(name: str) -> Callable[[Rng], tuple[Step, ...]]:
    return lambda rng: (draw_step(rng, name),)


def _recompressed(rng: Rng) -> tuple[Step, ...]:
    """Twice or three times through JPEG, each grid moved against the last."""
    shifts = rng.integers(1, 8, int(rng.integers(2, 4)))
    return tuple(draw_step(rng, "jpeg", shift=int(shift)) for shift in shifts)


def _shared(rng: Rng) -> tuple[Step, ...]:
    """Shrunk and sent on by messengers and pages that write WebP or AVIF."""
    codec = "avif" if rng.random() < 0.4 else "webp"
    return *_scaled(0.6, 0.95)(rng), draw_step(rng, codec), draw_step(rng, "jpeg")


def _poster(rng: Rng) -> tuple[Step, ...]:
    """Colours pushed, words and bars laid over."""
    return draw_step(rng, "tone"), *(draw_step(rng, "overlay") for _ in range(int(rng.integers(1, 4))))


TREATMENTS: dict[str, Callable[[Rng], tuple[Step, ...]]] = {
    "upscaled": _scaled(1.2, 2.0),
    "downscaled": _scaled(0.4, 0.85),
    "denoised": _one("denoise"),
    "sharpened": _one("sharpen"),
    "median": _one("median"),
    "local-tone": _one("local_tone"),
    "screenshot": _one("screenshot"),
    "poster": _poster,
    "collage": _one("collage"),
    "monochrome": _one("grey"),
    "grain": _one("grain"),
    "recompressed": _recompressed,
    "shared": _shared,
    "video-frame": _one("video"),
}
