"""A real that is changed after the forger saw it, and its forgeries alike: what delivery does to both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.corrupt import Step, apply, apply_mask
from detector.treatments import draw_writing
from evidence.jpeg import encode_jpeg, read_history
from evidence.medium import JpegHistory, Pixels
from generators.delivery import Delivery

Rng = np.random.Generator

_LOSSLESS = 0.15  # of what is no published file any more is written as PNG


@dataclass(frozen=True)
class Treated(Delivery):
    """A real that is changed after the forger saw it, as every forgery of it will be."""

    chain: tuple[Step, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        height, width = apply_mask(np.zeros(self.pixels.shape[:2], np.uint8), self.chain).shape
        return width, height

    def place(self, mask: Pixels) -> Pixels:
        placed = apply_mask(mask, self.chain)
        return np.where(placed >= 128, np.uint8(255), np.uint8(0))

    def encode(self, pixels: Pixels) -> bytes:
        return super().encode(apply(pixels, self.chain))


@dataclass(frozen=True)
class Writing:
    """How a treated picture is written: as a JPEG of this quality and sampling, as PNG where it has none."""

    quality: int | None = None
    sampling: str = ""

    @property
    def history(self) -> JpegHistory | None:
        """The tables of its JPEGs."""
        if self.quality is None:
            return None
        return read_history(encode_jpeg(np.zeros((16, 16, 3), np.uint8), self.quality, self.sampling))


def drawn_writing(rng: Rng) -> Writing:
    """A JPEG of drawn quality and sampling or, at times, PNG."""
    quality, sampling = draw_writing(rng)
    return Writing(quality, sampling) if rng.random() >= _LOSSLESS else Writing()


def treated(pixels: Pixels, chain: tuple[Step, ...], history: JpegHistory | None) -> Treated:
    """A real under a chain, written with these tables or as PNG."""
    unwritten = Treated(pixels, history, b"", as_published=False, chain=chain)
    return Treated(pixels, history, unwritten.encode(pixels), as_published=False, chain=chain)
