"""Sheets of samples as PNG: the same latents each time, so that progress can be watched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evidence.medium import Pixels
from generators.training.checkpoint import write_bytes


def to_pixels(images: Tensor) -> Pixels:
    """(B, C, H, W) in [-1, 1] -> (B, H, W, C) uint8, rounded to the nearest level."""
    levels = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round()
    pixels: Pixels = levels.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels


def sheet(pixels: Pixels, *, columns: int) -> Pixels:
    """(B, H, W, C) -> one picture of `columns` images a row, the last row filled with black."""
    count, height, width, channels = pixels.shape
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width, channels), np.uint8)
    full[:count] = pixels
    grid = full.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, channels))


def save_sheet(path: Path, samples: Tensor, inputs: Tensor | None = None, *, columns: int = 8) -> None:
    """Write the samples as one PNG; with `inputs`, each row of answers stands under what it answers."""
    parts = [to_pixels(images) for images in (inputs, samples) if images is not None]
    starts = range(0, len(samples), columns)
    rows = [sheet(part[at : at + columns], columns=columns) for at in starts for part in parts]
    picture = np.concatenate(rows)
    if picture.shape[2] == 3:
        picture = np.ascontiguousarray(picture[..., ::-1])  # OpenCV writes BGR
    write_bytes(path, cv2.imencode(".png", picture)[1].tobytes())
