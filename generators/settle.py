"""Settle a forged picture into its real: colour, saturation and borders agree, the fine detail stays forged.

An autoencoder also shifts colours, pulls in highlights and smears letterboxes. None of that is what a
detector should learn, so what a thumbnail or a colour histogram could tell apart is put back from the
real; everything finer than `SIGMA` pixels comes from the decoder. Used by the forge and, without torch,
when a shipped generator rebuilds a picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels

# Structures wider than about 2.5 sigma are the real's own. 8 px lies below a 32nd of a 256 px picture,
# so an 8x8 thumbnail sees nothing of the forgery.
SIGMA = 8.0
# A border or a blown-out area is constant over at least this many pixels a side.
FLAT_SIDE = 7


def settle(fake: Pixels, real: Pixels, sigma: float = SIGMA) -> Pixels:
    """`fake` with the low frequencies, tonal distribution and flat areas of `real`; both (H, W, 3) uint8.

    The tonal match is a monotone curve for each channel, so edges and upsampling traces keep their
    shape and place.
    """
    # Tones first, so that little is left for the low frequencies to mend, and again for what they moved.
    settled = toned(fake.astype(np.float32), real)
    settled = toned(settled + _low(real.astype(np.float32) - settled, sigma), real)
    flat = _flat(real)
    settled[flat] = real[flat]
    result: Pixels = np.clip(np.rint(settled), 0, 255).astype(np.uint8)
    return result


def toned(values: NDArray[np.float32], real: Pixels) -> NDArray[np.float32]:
    """`values` (H, W, C) with the tonal distribution of `real` in each channel, by a monotone curve."""
    channels = [_matched(values[..., channel], real[..., channel]) for channel in range(real.shape[2])]
    return np.stack(channels, axis=2)


def _low(difference: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    smooth: NDArray[np.float32] = cv2.GaussianBlur(difference, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return smooth


def _matched(values: NDArray[np.float32], reference: NDArray[np.uint8]) -> NDArray[np.float32]:
    """`values` through the monotone curve that gives them the histogram of `reference`.

    In bins of a quarter level; levels that the reference saturates are saturated again.
    """
    bins = 1024
    place = np.clip((values + 0.5) * (bins / 256), 0, bins - 1).astype(np.int32)
    counts = np.bincount(place.ravel(), minlength=bins)
    have = (np.cumsum(counts) - counts / 2) / counts.sum()
    levels = np.bincount(reference.ravel(), minlength=256)
    want = (np.cumsum(levels) - levels / 2) / levels.sum()
    present = levels > 0
    curve: NDArray[np.float32] = np.interp(have, want[present], np.arange(256)[present]).astype(np.float32)
    matched: NDArray[np.float32] = curve[place]
    return matched


def _flat(real: Pixels) -> NDArray[np.bool_]:
    """Where `real` is one exact colour over FLAT_SIDE x FLAT_SIDE pixels (letterboxes, clipped skies)."""
    kernel = np.ones((FLAT_SIDE, FLAT_SIDE), np.uint8)
    constant = (cv2.dilate(real, kernel) == cv2.erode(real, kernel)).all(axis=2)
    whole: NDArray[np.bool_] = cv2.dilate(constant.astype(np.uint8), kernel).astype(bool)
    return whole
