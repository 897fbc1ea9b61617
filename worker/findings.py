"""What is measured on one medium before any policy: the words between `scan.py` and `decide.py`.

A logit is raw, high = fake; nothing in here is calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.medium import Coverage, MediaInfo, Pixels
from provenance.watermark.detect import Mark


@dataclass(frozen=True)
class Trial:
    """One change of the pixels that was tried, and the logit the medium would have after it."""

    name: str
    logit: float


@dataclass(frozen=True)
class FrameScore:
    """The logit of one sampled frame, with its standard error, at its presentation time."""

    index: int
    time_seconds: float
    logit: float
    spread: float = 0.0


@dataclass(frozen=True)
class FaceScore:
    """A face, [x0, y0, x1, y1] in pixels, and the mean map logit inside it; None if unseen by tiles."""

    box: tuple[int, int, int, int]
    logit: float | None


@dataclass(frozen=True)
class Findings:
    """All that was measured on one medium, before any policy.

    `grid` holds map logits (rows, cols), a cell per 8 x 8 px, nan where no tile lay; of a video it
    belongs to `frames[shown]`, the frame with the highest logit, as do `whole` (its mean tile
    logit), the faces, the preview, the watermark, which is None where nobody looked, and the logits of
    `families` (F,), None from a detector that does not tell who made a picture.
    """

    info: MediaInfo
    coverage: Coverage
    logit: float
    spread: float
    frames: tuple[FrameScore, ...]
    shown: int
    grid: NDArray[np.float64]
    whole: float
    tiles: int
    tiles_to_cover: int
    flat_share: float
    faces: tuple[FaceScore, ...]
    trials: tuple[Trial, ...]
    preview: Pixels | None
    mark: Mark | None = None
    families: NDArray[np.float64] | None = None
