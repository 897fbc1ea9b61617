"""Masks of pixels to be made: float (B, 1, H, W), 1 in the hole and 0 where the picture is kept.

Free-form masks as released with Yu et al. 2019 (1806.03589; `random_bbox`, `bbox2mask` and
`brush_stroke_mask` of JiahuiYu/generative_inpainting): a box united with one to three zigzag strokes.
Lengths there are for 256 px; here they are shares of the side. Sides to extend as in Boundless
(Teterwak et al. 2019, 1908.07007), on any of the four sides instead of the right alone.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evidence.errors import UsageError

STROKES = 3  # at most, as all numbers of a stroke below
VERTICES = (4, 12)
WIDTHS = (12 / 256, 40 / 256)
ANGLE, ANGLE_SPREAD = 2 * math.pi / 5, 2 * math.pi / 15
BOX = 128 / 256
BOX_SHRINKS = 32 / 256

SIDES = ("left", "right", "top", "bottom")
SHARES = (0.25, 0.5, 0.75)


def free_form(count: int, height: int, width: int, rng: torch.Generator) -> Tensor:
    """A box of half the side, a little less at random, at a random place, and strokes over it."""
    uniform = torch.rand(count, 5 + STROKES * (6 + VERTICES[1]), generator=rng, device=rng.device)
    normal = torch.randn(count, STROKES, VERTICES[1], generator=rng, device=rng.device)
    masks = [
        _free_form(height, width, numbers, radii)
        for numbers, radii in zip(uniform.cpu().numpy(), normal.cpu().numpy(), strict=True)
    ]
    return torch.from_numpy(np.stack(masks)[:, None]).float().to(rng.device)


def side_masks(count: int, height: int, width: int, rng: torch.Generator) -> Tensor:
    """A quarter, a half or three quarters of each picture, on one of its four sides."""
    sides = torch.randint(len(SIDES), (count,), generator=rng, device=rng.device).tolist()
    shares = torch.randint(len(SHARES), (count,), generator=rng, device=rng.device).tolist()
    masks = [
        side_mask(height, width, SIDES[side], SHARES[share])
        for side, share in zip(sides, shares, strict=True)
    ]
    return torch.stack(masks).to(rng.device)


def side_mask(height: int, width: int, side: str, share: float) -> Tensor:
    """(1, H, W): the `share` of the picture next to `side`."""
    if side not in SIDES:
        raise UsageError(f"There is no side {side!r}.", f"The sides are {', '.join(SIDES)}.")
    mask = torch.zeros(1, height, width)
    tall, wide = round(height * share), round(width * share)
    if side in ("left", "right"):
        mask[:, :, slice(wide) if side == "left" else slice(width - wide, None)] = 1
    else:
        mask[:, slice(tall) if side == "top" else slice(height - tall, None)] = 1
    return mask


def central_masks(count: int, height: int, width: int, hole: int) -> Tensor:
    """The square of `hole` pixels in the middle of each picture."""
    mask = torch.zeros(count, 1, height, width)
    top, left = (height - hole) // 2, (width - hole) // 2
    mask[:, :, top : top + hole, left : left + hole] = 1
    return mask


def _free_form(
    height: int, width: int, numbers: NDArray[np.float32], radii: NDArray[np.float32]
) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    box, strokes = numbers[:5], numbers[5:].reshape(STROKES, -1)
    tall, wide = height * BOX, width * BOX
    top, left = box[0] * (height - tall), box[1] * (width - wide)
    # As released, the box shrinks by the same amount at both ends.
    down, right = box[2] * height * BOX_SHRINKS / 2, box[3] * width * BOX_SHRINKS / 2
    mask[round(top + down) : round(top + tall - down), round(left + right) : round(left + wide - right)] = 1
    for n in range(1 + int(box[4] * STROKES)):
        _stroke(mask, strokes[n], radii[n])
    return mask


def _stroke(mask: NDArray[np.uint8], numbers: NDArray[np.float32], radii: NDArray[np.float32]) -> None:
    """A zigzag of round-capped lines from a random start; every second turn is mirrored."""
    height, width = mask.shape
    reach = math.hypot(height, width) / 8
    vertices = VERTICES[0] + int(numbers[0] * (VERTICES[1] - VERTICES[0]))
    low, high = ANGLE - numbers[1] * ANGLE_SPREAD, ANGLE + numbers[2] * ANGLE_SPREAD
    thick = max(1, round(min(height, width) * (WIDTHS[0] + numbers[3] * (WIDTHS[1] - WIDTHS[0]))))
    x, y = numbers[4] * width, numbers[5] * height
    for n in range(vertices):
        turn = low + numbers[6 + n] * (high - low)
        angle = turn if n % 2 else 2 * math.pi - turn
        length = min(max(reach + radii[n] * reach / 2, 0), 2 * reach)
        onward = (
            min(max(x + length * math.cos(angle), 0), width),
            min(max(y + length * math.sin(angle), 0), height),
        )
        cv2.line(mask, (int(x), int(y)), (int(onward[0]), int(onward[1])), 1, thick)
        x, y = onward
