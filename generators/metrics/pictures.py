"""The two sides of a comparison: pictures of a folder, a known set or an array, read batch by batch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evidence.errors import DataError, MediaError, UsageError
from evidence.image import decode_image
from evidence.medium import Pixels
from generators.data import shards

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".gif")


@dataclass(frozen=True)
class PictureSet:
    """Pictures RGB uint8 (H, W, 3) by number, what they are called together, and the sum of their bytes."""

    name: str
    readers: Sequence[partial[Pixels]]
    sha256: str
    size: int | None = None  # the side each is squared to; None leaves them as they are

    def __len__(self) -> int:
        return len(self.readers)

    def batches(self, most: int) -> Iterator[Tensor]:
        """All pictures in order as (B, 3, H, W) in [-1, 1]; a batch ends where the size changes."""
        held: list[Pixels] = []
        for reader in self.readers:
            pixels = reader() if self.size is None else squared(reader(), self.size)
            if held and (len(held) == most or held[0].shape != pixels.shape):
                yield _signed(held)
                held = []
            held.append(pixels)
        if held:
            yield _signed(held)


def open_pictures(source: str, *, count: int | None = None, size: int | None = None) -> PictureSet:
    """The pictures of a folder, or of a known set such as "faces-celeba" or "cifar10:train" (else its test).

    `count` takes that many at even distances. Raises DataError when there are none.
    """
    if Path(source).is_dir():
        paths = sorted(path for path in Path(source).rglob("*") if path.suffix.lower() in SUFFIXES)
        chosen = paths[:: _stride(len(paths), count)][:count]
        if not chosen:
            raise DataError(f"The folder {source} holds no pictures.", f"They end in {', '.join(SUFFIXES)}.")
        digest = hashlib.sha256()
        for path in chosen:
            digest.update(path.name.encode() + path.read_bytes())
        return PictureSet(source, [partial(_decoded, path) for path in chosen], digest.hexdigest(), size)
    name, _, split = source.partition(":")
    if name not in shards.NAMES:
        raise UsageError(
            f"{source!r} is neither a folder nor a known set.", f"Known sets: {', '.join(shards.NAMES)}."
        )
    items = list(shards.load(name, split or "test"))
    items = items[:: _stride(len(items), count)][:count]
    digest = hashlib.sha256(b"".join(hashlib.sha256(item.data).digest() for item in items))
    return PictureSet(source, [partial(_decoded, item.data) for item in items], digest.hexdigest(), size)


def held_pictures(name: str, pictures: Sequence[Pixels], *, size: int | None = None) -> PictureSet:
    """Pictures that are in memory already, samples of a generator for one."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(pixels).tobytes() for pixels in pictures))
    return PictureSet(name, [partial(_same, pixels) for pixels in pictures], digest.hexdigest(), size)


def squared(pixels: Pixels, size: int) -> Pixels:
    """The central square at `size` pixels a side: averaged when it shrinks, cubic when it grows."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = pixels[top : top + side, left : left + side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(square, (size, size), interpolation=how), np.uint8)


def _decoded(source: Path | bytes) -> Pixels:
    try:
        return decode_image(source)[1]
    except MediaError as error:
        raise DataError(
            f"A picture cannot be measured. {error.message}", "Remove it and measure again."
        ) from None


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _stride(length: int, count: int | None) -> int:
    return 1 if count is None else max(1, length // count)


def _signed(pictures: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
