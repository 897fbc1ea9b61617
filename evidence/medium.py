"""What decoding yields: `MediaInfo`, `Frame`, `Coverage`, and the request that asks for them.

Pixels are RGB uint8 (H, W, 3), upright, sRGB, alpha composited on white. Time is in seconds of
presentation, from the start of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Kind = Literal["image", "animation", "video"]


@dataclass(frozen=True)
class Frame:
    """One decoded picture: pixels RGB uint8 (H, W, 3), its place and its presentation time."""

    pixels: Pixels
    index: int = 0
    time_seconds: float = 0.0
    keyframe: bool = True


@dataclass(frozen=True)
class JpegHistory:
    """How a JPEG was written: its quantisation tables, chroma sampling and estimated quality.

    `tables` are the DQT tables in natural (row-major) order, `sampling` is "4:4:4", "4:2:2",
    "4:2:0", "grey" or "other", `quality` 1..100 is the nearest libjpeg quality.
    """

    tables: tuple[tuple[int, ...], ...]
    sampling: str
    quality: int
    progressive: bool = False


@dataclass(frozen=True)
class MediaInfo:
    """What is known of a file before its pixels are judged.

    `seams` are the places where the asked frames of a video can be cut apart with no picture decoded twice:
    the frames asked for, and the pictures decoded for them, before each place; the last is the end.
    """

    path: str
    sha256: str
    kind: Kind
    mime: str
    size_bytes: int
    width: int
    height: int
    duration_seconds: float | None = None
    frames: int | None = None
    fps_mode: Literal["constant", "variable"] | None = None
    rotation: int = 0
    codec: str = ""
    jpeg: JpegHistory | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    seams: tuple[tuple[int, int], ...] = ()


@dataclass
class Coverage:
    """How much of a medium was really seen: frames decoded, frames asked for, decode errors."""

    decoded: int = 0
    expected: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video or animation are wanted.

    `mode` "every" takes one frame each `every_seconds`; "keyframes" takes the key frames
    alone and falls back to "every" when they lie more than 10 s apart; "all" takes each frame.
    `part` (first, end) gives those of the whole's frames alone, counted in the order of showing.
    """

    mode: Literal["every", "keyframes", "all"] = "every"
    every_seconds: float = 0.5
    max_frames: int = 600
    # It chooses among frames and changes none of them, so it is no part of what decides a result.
    part: tuple[int, int] | None = field(default=None, repr=False)
