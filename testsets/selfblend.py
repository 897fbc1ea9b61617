"""Self-blended faces: a face pasted onto itself, changed a little, so that a seam is all there is to find.

Shiohara and Yamasaki 2022, "Detecting Deepfakes with Self-Blended Images", 2204.08376: no forgery is needed
to learn what face swaps leave. Colour, sharpness, shift, mask and blending follow their released settings. A
hull that five points span replaces their 81 landmarks, and it is always the pasted face that is changed:
where nothing was pasted a picture stays the real one, as a mask promises.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from generators.delivery import blended

Rng = np.random.Generator
Points = Sequence[tuple[float, float]]  # eye at the left, eye at the right, nose, corners of the mouth
Weights = NDArray[np.float32]

# Around the face, in units of the eyes' distance across and of eyes to mouth down, from between the eyes.
_OUTLINE = (
    *((-1.05, 0.0), (-0.95, -0.5), (-0.55, -0.95), (0.0, -1.05), (0.55, -0.95), (0.95, -0.5)),
    *(
        (1.05, 0.0),
        (1.0, 0.7),
        (0.7, 1.35),
        (0.35, 1.75),
        (0.0, 1.85),
        (-0.35, 1.75),
        (-0.7, 1.35),
        (-1.0, 0.7),
    ),
)
_BROW = -0.35  # without the forehead the outline ends here
_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)


def self_blend(pixels: Pixels, points: Points, rng: Rng) -> tuple[Pixels, NDArray[np.bool_]]:
    """The picture with its face blended onto itself, and where: bool (H, W)."""
    changed = _changed(pixels, rng)
    moved, weights = _moved(changed, face_mask(points, pixels.shape[0], pixels.shape[1], rng), rng)
    weights = _softened(weights, rng) * np.float32(rng.choice(_RATIOS))
    return blended(pixels, moved, weights), weights >= 0.125


def face_mask(points: Points, height: int, width: int, rng: Rng) -> Weights:
    """A hull around the face, bent at random: 1 inside, 0 outside."""
    left, right, _, *mouth = (np.array(point) for point in points)
    middle = (left + right) / 2
    across, down = right - left, (mouth[0] + mouth[1]) / 2 - middle
    top = _BROW if rng.random() < 0.25 else -2.0
    hull = [middle + x * across * rng.uniform(0.9, 1.1) + max(y, top) * down for x, y in _OUTLINE]
    mask = np.zeros((height, width), np.float32)
    outline = cv2.convexHull(np.round(np.array(hull, np.float32)).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1.0)
    scale = float(np.hypot(*across)) / 80  # their faces are about 80 px from eye to eye
    bend = [
        cv2.GaussianBlur(rng.uniform(-1, 1, mask.shape).astype(np.float32), (0, 0), max(1.0, 7 * scale))
        for _ in range(2)
    ]
    rows, columns = np.indices(mask.shape, np.float32)
    strength = np.float32(50 * scale)
    return np.asarray(
        cv2.remap(mask, columns + strength * bend[0], rows + strength * bend[1], cv2.INTER_LINEAR), np.float32
    )


def _changed(pixels: Pixels, rng: Rng) -> Pixels:
    """Another colour and brightness, and another sharpness."""
    hsv = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2HSV).astype(np.int16)
    hsv += np.rint(rng.uniform(-0.3, 0.3, 3) * (10, 50, 50)).astype(np.int16)
    hsv[:, :, 0] %= 180
    colours = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.float32)
    colours += rng.uniform(-20, 20, 3).astype(np.float32)
    colours = (colours - 128) * np.float32(rng.uniform(0.9, 1.1)) + np.float32(128 + rng.uniform(-13, 13))
    toned: Pixels = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        height, width = pixels.shape[:2]
        factor = 1 / int(rng.choice((2, 4)))
        small = cv2.resize(toned, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    amount = float(rng.uniform(0.2, 0.5))
    soft = cv2.GaussianBlur(toned, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(toned, 1 + amount, soft, -amount, 0), np.uint8)


def _moved(pixels: Pixels, weights: Weights, rng: Rng) -> tuple[Pixels, Weights]:
    """Shifted by up to 3 % of the width and 1.5 % of the height, scaled by up to 5 %."""
    height, width = weights.shape
    scale = rng.uniform(0.95, 1.05)
    matrix = np.array(
        [
            [scale, 0, width * ((1 - scale) / 2 + rng.uniform(-0.03, 0.03))],
            [0, scale, height * ((1 - scale) / 2 + rng.uniform(-0.015, 0.015))],
        ]
    )
    size = (width, height)
    moved = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8), np.asarray(cv2.warpAffine(weights, matrix, size), np.float32)


def _softened(weights: Weights, rng: Rng) -> Weights:
    """Blurred, cut back to what was inside, and blurred again."""
    scale = max(weights.shape) / 256
    first, second = (2 * int(rng.integers(2, 13) * scale) + 1 for _ in range(2))
    soft = cv2.GaussianBlur(weights, (first, first), 0)
    soft /= max(float(soft.max()), 1e-6)
    soft[soft < 1] = 0
    soft = cv2.GaussianBlur(soft, (second, second), 0)
    largest = float(soft.max())
    return np.asarray(soft / largest if largest > 0 else weights, np.float32)
