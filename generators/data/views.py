"""What sets for translation share: the pictures of a folder, their scale, the window a draw looks through.

The jitter of pix2pix and CycleGAN (Isola et al. 2016, 1611.07004, section 6.2): scaled to 286/256 of the
size wanted, a random window, mirrored with even odds. Held-out pictures are seen whole, from the middle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evidence.errors import DataError, UsageError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data.memory import decode, read_file

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def room(size: int, *, jitter: bool) -> int:
    """The shorter side in pixels that pictures are held at for draws of `size`."""
    return size * 286 // 256 if jitter else size


def scaled(picture: Pixels, shorter: int, *, flat: bool = False) -> Pixels:
    """The picture with its shorter side at `shorter` pixels; `flat` mixes no colours, for label maps."""
    height, width = picture.shape[:2]
    factor = shorter / min(height, width)
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    size = (max(shorter, round(width * factor)), max(shorter, round(height * factor)))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST_EXACT if flat else smooth)
    return np.ascontiguousarray(resized, dtype=np.uint8)


def view(picture: Pixels, size: int, place: Sequence[float] | None) -> Pixels:
    """A window (size, size, C) at `place`: down and right in [0, 1), mirrored below 0.5; None: the middle."""
    down, right, mirrored = place or (0.5, 0.5, 1.0)
    top = int(down * (picture.shape[0] - size + 1))
    left = int(right * (picture.shape[1] - size + 1))
    window = picture[top : top + size, left : left + size]
    return window[:, ::-1] if mirrored < 0.5 else window


def to_tensor(views: Sequence[Pixels]) -> Tensor:
    """Windows (H, W, C) uint8 -> (B, C, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(np.stack(views))
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0).contiguous()


def source_of(batch: Batch | None, name: str) -> Tensor:
    """`batch.extra[name]`, the pictures a translator answers; UsageError when there are none."""
    if batch is None or name not in batch.extra:
        raise UsageError(
            "A translator answers pictures, and there are none.", "Give it a set of pairs or of two domains."
        )
    return batch.extra[name]


def pictures_of(folder: Path) -> list[Path]:
    """The pictures directly in `folder`, by name; DataError when there are none."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES and not path.is_dir())
    if not paths:
        raise DataError(f"The folder {folder} holds no pictures.", f"Pictures end in {', '.join(PICTURES)}.")
    return paths


def read(path: Path, digest: hashlib._Hash) -> Pixels:
    """The upright RGB pixels of one file, whose name and content go into `digest`."""
    content = read_file(path)
    digest.update(path.name.encode() + hashlib.sha256(content).digest())
    return decode(content, str(path))
