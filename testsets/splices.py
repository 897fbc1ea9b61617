"""A region of one photograph in the place of another's: no generator, and the oldest forgery there is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.corrupt import Step, apply
from detector.operations import KERNELS
from evidence.medium import Pixels
from generators.delivery import AREA, blended, soft_region
from generators.settle import toned

Rng = np.random.Generator


def splice(
    real: Pixels, other: Pixels, rng: Rng, *, area: tuple[float, float] = AREA, fitting: bool = False
) -> tuple[Pixels, NDArray[np.bool_]]:
    """The real with a region of another photograph, scaled or not, and where: bool (H, W).

    `fitting` gives the region the tones of what it covers, as a careful hand does: then a histogram tells
    nothing.
    """
    height, width = real.shape[:2]
    if rng.random() < 0.5:
        step = {"factor": float(rng.uniform(0.6, 1.6)), "kernel": str(rng.choice(KERNELS))}
        other = apply(other, (Step("resize", step),))
    spare = [have - wanted for have, wanted in zip(other.shape, real.shape, strict=True)][:2]
    other = np.pad(other, [*((0, max(0, -room)) for room in spare), (0, 0)], mode="symmetric")
    top, left = (int(rng.integers(max(0, room) + 1)) for room in spare)
    alpha = soft_region(rng, height, width, share=area)
    if rng.random() < 0.4:
        alpha = (alpha >= 0.5).astype(np.float32)
    donor, region = other[top : top + height, left : left + width], alpha > 0
    if fitting:
        donor = donor.copy()
        donor[region] = _in_tones(donor[region], real[region])
    return blended(real, donor, alpha), alpha >= 0.5


def _in_tones(donor: Pixels, real: Pixels) -> Pixels:
    """Pixels (N, 3) in the tones of others."""
    matched = toned(donor[None].astype(np.float32), real[None])[0]
    result: Pixels = np.clip(np.rint(matched), 0, 255).astype(np.uint8)
    return result
