"""How a real and its forgery are delivered alike: the same crop, the same JPEG tables, no metadata.

Without torch, so that pictures from exported generators are delivered in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.image import decode_image
from evidence.jpeg import SAMPLINGS, encode_like, without_metadata
from evidence.limits import DecodeLimits
from evidence.medium import JpegHistory, Pixels

# Crops keep the grid of the real's JPEG, of its halved chroma as well; decoders work on its multiples.
GRID = 16
AREA = (0.1, 0.5)  # the share of a picture that is forged where a region of it is


@dataclass(frozen=True)
class Delivery:
    """A real as both sides are delivered: its pixels, its JPEG history if any, and the bytes written."""

    pixels: Pixels
    history: JpegHistory | None
    data: bytes
    as_published: bool

    @property
    def extension(self) -> str:
        return "png" if self.history is None else "jpg"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as written."""
        height, width = self.pixels.shape[:2]
        return width, height

    def place(self, mask: Pixels) -> Pixels:
        """Where a forgery with this mask (H, W) is forged as written."""
        return mask

    def encode(self, pixels: Pixels) -> bytes:
        """Other pixels with this delivery's tables and sampling, or as PNG where it has none."""
        return png(pixels) if self.history is None else encode_like(pixels, self.history)


def deliver(
    published: bytes, crop: int | None, rng: np.random.Generator, limits: DecodeLimits | None = None
) -> Delivery:
    """The real as both sides travel: its own JPEG data, cut to `crop` pixels a side or turned if need be.

    What the file says of itself (EXIF, XMP, colour profile, comments) is left out before it is decoded:
    a twin has none of it, so that it would tell the two apart.
    """
    info, pixels = decode_image(published, limits)
    upright = info.rotation == 0
    if upright and info.jpeg is not None:
        published = without_metadata(published)
        info, pixels = decode_image(published, limits)
    history = info.jpeg
    keepable = upright and history is not None and history.sampling in SAMPLINGS
    if crop is not None and max(pixels.shape[:2]) > crop:
        pixels, keepable = _window(rng, pixels, crop), False
    if keepable:
        return Delivery(pixels, history, published, as_published=True)
    data = png(pixels) if history is None else encode_like(pixels, history)
    return Delivery(pixels, history, data, as_published=False)


def central_square(picture: Pixels, size: int, centre: float = 1.0) -> Pixels:
    """The central square of a picture (H, W, C), `centre` of its shorter side, at `size` pixels a side."""
    height, width, channels = picture.shape
    side = round(min(height, width) * centre)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    if side != size:
        how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
        square = cv2.resize(square, (size, size), interpolation=how)
    return np.ascontiguousarray(square).reshape(size, size, channels)


def soft_region(
    rng: np.random.Generator, height: int, width: int, *, share: tuple[float, float] = AREA
) -> NDArray[np.float32]:
    """A soft-edged ellipse or rectangle over a share of the area: weights (H, W) of the forgery."""
    area = rng.uniform(*share) * height * width
    ellipse = rng.random() < 0.5
    # An ellipse fills pi/4 of its box; the box keeps within the picture, so wide areas stay near its shape.
    box = area / (np.pi / 4 if ellipse else 1.0)
    stretch = float(np.exp(rng.uniform(-0.4, 0.4)))
    tall = min(height, max(box / width, np.sqrt(box * height / width) * stretch))
    wide = min(width, box / tall)
    y, x = rng.uniform(0, height - tall), rng.uniform(0, width - wide)
    hard = np.zeros((height, width), np.float32)
    if ellipse:
        centre, axes = (round(x + wide / 2), round(y + tall / 2)), (round(wide / 2), round(tall / 2))
        cv2.ellipse(hard, centre, axes, 0, 0, 360, 1.0, thickness=-1)
    else:
        hard[round(y) : round(y + tall), round(x) : round(x + wide)] = 1.0
    soft: NDArray[np.float32] = cv2.GaussianBlur(hard, (0, 0), rng.uniform(1.0, 4.0))
    return np.where(soft < 1 / 255, np.float32(0), np.minimum(soft, 1))


def blended(real: Pixels, fake: Pixels, alpha: NDArray[np.float32]) -> Pixels:
    """`fake` where alpha is one, `real` to the bit where it is zero."""
    base = real.astype(np.float32)
    mixed = base + alpha[..., None] * (fake.astype(np.float32) - base)
    result: Pixels = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return result


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (H, W, 3) RGB or (H, W) as PNG."""
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", ordered)[1])


def _window(rng: np.random.Generator, pixels: Pixels, side: int) -> Pixels:
    """A random window of at most `side` x `side` native pixels whose corner lies on the JPEG grid."""
    height, width = pixels.shape[:2]
    top, left = (int(rng.integers(0, max(0, length - side) // GRID + 1)) * GRID for length in (height, width))
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])
