"""Turning a face by geometry: each pixel of the new view is looked up where the source shows that point.

The head is a bump with a nose; its depth is fitted to how the five landmarks of LFW move with
yaw (least squares over 3 700 faces: the tip of the nose moves by 0.36 sin(yaw) of half the picture's side,
eyes and mouth by less than 0.04). The network adds what this head lacks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# In units of half the picture's side, y downwards, depth towards the camera from the plane of the eyes.
_WIDE, _HIGH = 0.68, 0.95
_DEEP, _STEEP, _PLANE = 0.75, 0.9, 0.66
_NOSE, _NOSE_Y, _NOSE_WIDE, _NOSE_HIGH = 0.28, 0.18, 0.13, 0.17
_ROUNDS = 6
FURTHEST = 60.0


def depth(x: Tensor, y: Tensor) -> Tensor:
    """How far the mean head stands out at the place (x, y) of its frontal view."""
    skull = _DEEP * torch.exp(-_STEEP * _radius(x, y).square()) - _PLANE
    nose = torch.exp(-0.5 * ((x / _NOSE_WIDE).square() + ((y - _NOSE_Y) / _NOSE_HIGH).square()))
    return skull + _NOSE * nose


def lookup(source_yaw: Tensor, target_yaw: Tensor, side: int) -> Tensor:
    """Where each pixel of a view at `target_yaw` (B,) lies in one at `source_yaw` (B,): (B, S, S, 2)."""
    places = (torch.arange(side, device=source_yaw.device, dtype=torch.float32) * 2 + 1) / side - 1
    y, x = places[None, :, None], places[None, None, :]
    source, target = (
        torch.deg2rad(yaw.float().clamp(-FURTHEST, FURTHEST))[:, None, None]
        for yaw in (source_yaw, target_yaw)
    )
    # A point at X of the frontal view is seen at X cos(yaw) + depth sin(yaw); solved for X step by step.
    front = x.expand(source.shape[0], side, side)
    for _ in range(_ROUNDS):
        front = 0.5 * front + 0.5 * (x - depth(front, y) * target.sin()) / target.cos()
    seen = front * source.cos() + depth(front, y) * source.sin()
    # Beyond the head the picture stands still; the way there is long enough not to fold.
    head = torch.exp(-((_radius(front, y) - 0.9).clamp(min=0) / 0.5).square())
    across = x + head * (seen - x)
    return torch.stack((across, y.expand_as(across)), dim=-1)


def looked_up(images: Tensor, places: Tensor) -> Tensor:
    """images (B, C, S, S) seen at `places` (B, T, T, 2): (B, C, T, T)."""
    return F.grid_sample(images.float(), places, padding_mode="border", align_corners=False)


def turned(images: Tensor, source_yaw: Tensor, target_yaw: Tensor) -> Tensor:
    """Faces (B, C, S, S) at `source_yaw` (B,) as the mean head shows them at `target_yaw` (B,)."""
    return looked_up(images, lookup(source_yaw, target_yaw, images.shape[-1]))


def window(side: int, device: torch.device) -> Tensor:
    """(S, S) weights that are 1 in the middle of the face and fall to nothing beyond the head; mean 1."""
    places = (torch.arange(side, device=device, dtype=torch.float32) * 2 + 1) / side - 1
    weights = torch.exp(-_radius(places[None, :], places[:, None] - 0.1).pow(4))
    return weights / weights.mean()


def _radius(x: Tensor, y: Tensor) -> Tensor:
    return ((x / _WIDE).square() + (y / _HIGH).square() + 1e-6).sqrt()
