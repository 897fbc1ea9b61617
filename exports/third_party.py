"""Other people's ONNX detectors: the small TOML beside the file, and the adapter it describes.

    name = "their-detector"          # else the file's stem
    version = "1.2"
    licence = "MIT"
    sha256 = "..."                   # optional; pins the file
    [input]
    name = "input"                   # else the graph's first input
    layout = "NCHW"                  # or "NHWC"
    channels = "RGB"                 # or "BGR"
    size = [224, 224]                # height, width; absent when any size goes
    fit = "crop"                     # or "resize": what happens to a tile of another size
    kernel = "area"                  # of "resize"; or "nearest", "bilinear", "bicubic", "lanczos" as Pillow's
    scale = 255.0                    # pixels are divided by this, then (x - mean) / std
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    [output]
    name = "logits"                  # else the graph's first output
    index = 1                        # column of the fake class when there are several
    values = "logit"                 # "logit", "probability" or "classes" (one logit for each class)
    fake_is = "high"                 # or "low": which direction says fake
    threshold = 0.5                  # of its own scores, 0 to 1: at and above it says fake

`fit = "crop"` keeps native pixels, which forensic detectors need; use "resize" for those trained so.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evidence.errors import ModelError

Array = NDArray[Any]
ROUNDING = 1e-3  # by which a float16 softmax may leave 0 to 1
SMALLEST_PROBABILITY = 1e-6  # a stated probability of 0 or 1 becomes a logit of -13.8 or 13.8

# What ONNX Runtime calls an input, and the numbers it takes.
DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

_CHOICES = {
    "layout": ("NCHW", "NHWC"),
    "channels": ("RGB", "BGR"),
    "fit": ("crop", "resize"),
    "kernel": ("area", "nearest", "bilinear", "bicubic", "lanczos"),
    "values": ("logit", "probability", "classes"),
    "fake_is": ("high", "low"),
}


@dataclass(frozen=True)
class ForeignInterface:
    """How tiles enter a third-party graph and how its answer becomes a logit, high = fake."""

    input: str = ""
    output: str = ""
    layout: str = "NCHW"
    channels: str = "RGB"
    size: tuple[int, int] | None = None
    fit: str = "crop"
    kernel: str = "area"
    scale: float = 255.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    index: int = 0
    values: str = "logit"
    fake_is: str = "high"
    threshold: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; allowed are {', '.join(allowed)}")
        if len(self.mean) != 3 or len(self.std) != 3 or 0.0 in (*self.std, self.scale):
            raise ValueError("mean and std need three numbers each, std and scale other than zero")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}; it lies between 0 and 1")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(f"size is {list(self.size)}; it needs a height and a width")

    def prepare(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Tiles uint8 (B, h, w, 3) RGB as the graph wants them, float32."""
        if self.size is not None and tiles.shape[1:3] != self.size:
            tiles = np.stack([_fit(tile, self.size, self.fit, self.kernel) for tile in tiles])
        pixels = tiles[..., ::-1] if self.channels == "BGR" else tiles
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        scaled = (pixels.astype(np.float32) / self.scale - mean) / std
        ordered = scaled.transpose(0, 3, 1, 2) if self.layout == "NCHW" else scaled  # (B, C, h, w)
        return np.ascontiguousarray(ordered, np.float32)

    def logits(self, answer: Array, count: int) -> NDArray[np.float32]:
        """The graph's answer for `count` tiles as logits (count,), high = fake."""
        table = np.asarray(answer, np.float64).reshape(count, -1)  # (B, classes)
        if not 0 <= self.index < table.shape[1] or (self.values == "classes" and table.shape[1] < 2):
            raise ModelError(
                f"The detector answers {table.shape[1]} values a tile; its TOML reads number {self.index} of "
                f"`{self.values}`.",
                "Correct `index` and `values` in the [output] table; `classes` needs two columns or more.",
            )
        fake = table[:, self.index]
        if self.values == "probability":
            if fake.min() < -ROUNDING or fake.max() > 1 + ROUNDING:
                raise ModelError(
                    f"The detector answers {fake.min():.4g} to {fake.max():.4g}; its TOML says "
                    "`probability`, which is 0 to 1.",
                    'Set `values` in the [output] table to "logit", or to "classes".',
                )
            safe = np.clip(fake, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
            fake = np.log(safe / (1 - safe))
        elif self.values == "classes":
            others = np.delete(table, self.index, axis=1)
            fake = fake - np.logaddexp.reduce(others, axis=1)  # the logit of softmax(table)[index]
        return (-fake if self.fake_is == "low" else fake).astype(np.float32)

    def check(self, label: str, shape: Sequence[int | str | None], kind: str) -> None:
        """Raise ModelError unless a graph's input of this shape and kind takes what `prepare` gives."""
        where = f"Model {label} takes {kind} of shape {list(shape)}"
        if kind not in DTYPES:
            raise ModelError(f"{where}; allowed are {', '.join(DTYPES)}.", "Export it with one of these.")
        if len(shape) != 4:
            raise ModelError(
                f"{where}; a picture detector takes four axes.",
                "Export it so that it takes a batch of pictures, features computed inside.",
            )
        channels = shape[1] if self.layout == "NCHW" else shape[3]
        if isinstance(channels, int) and channels != 3:
            other = "NHWC" if self.layout == "NCHW" else "NCHW"
            turned = (shape[3] if self.layout == "NCHW" else shape[1]) == 3
            raise ModelError(
                f"{where}; by the layout {self.layout} of its TOML that is {channels} channels.",
                f'Set `layout = "{other}"` in the [input] table.' if turned else "It must take 3 channels.",
            )
        sides = tuple(shape[2:]) if self.layout == "NCHW" else tuple(shape[1:3])
        for fixed, given in zip(sides, self.size or (None, None), strict=True):
            if isinstance(fixed, int) and fixed != given:
                said = f"says {list(self.size)}" if self.size else "says no size"
                raise ModelError(
                    f"{where}; the `size` of its TOML {said}.",
                    f"Set `size = {list(sides)}` in the [input] table, and `fit` to crop or resize.",
                )


def read_toml(path: Path) -> tuple[dict[str, Any], ForeignInterface]:
    """The tables of a detector's TOML and the interface they describe; raises `ModelError`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        given = {
            **_section(table, "input", ("name", *_INPUT)),
            **_section(table, "output", ("name", *_OUTPUT)),
        }
        return table, ForeignInterface(**given)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path} does not describe a detector: {error}.",
            "See docs/add-a-detector.md for the fields of this file.",
        ) from error


_OUTPUT = ("index", "values", "fake_is", "threshold")
_INPUT = tuple(
    item.name for item in fields(ForeignInterface) if item.name not in ("input", "output", *_OUTPUT)
)


def _section(table: Mapping[str, Any], section: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """One table of the TOML as arguments of `ForeignInterface`; lists become tuples."""
    given = dict(table.get(section, {}))
    if unknown := set(given) - set(allowed):
        raise ValueError(f"[{section}] has unknown fields {sorted(unknown)}; allowed are {sorted(allowed)}")
    renamed = {(section if key == "name" else key): value for key, value in given.items()}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in renamed.items()}


def _fit(tile: NDArray[np.uint8], size: tuple[int, int], fit: str, kernel: str) -> NDArray[np.uint8]:
    """One tile (h, w, 3) at `size`: resized, or cut from its middle and mirrored where it is too small."""
    height, width = size
    if fit == "resize" and kernel != "area":
        way = Image.Resampling[kernel.upper()]
        return np.asarray(Image.fromarray(tile).resize((width, height), way), np.uint8)
    if fit == "resize":
        resized: NDArray[np.uint8] = cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA)
        return resized
    short = [max(0, want - have) for want, have in zip(size, tile.shape[:2], strict=True)]
    padding = [(gap // 2, gap - gap // 2) for gap in short]
    padded = np.pad(tile, (*padding, (0, 0)), mode="symmetric")
    top, left = (padded.shape[0] - height) // 2, (padded.shape[1] - width) // 2
    return np.asarray(padded[top : top + height, left : left + width])
