"""Score labelled pictures and videos one by one, along the path that a scan takes, and measure the masks.

The scorer is passed in as a function from pixels to a logit and a map, so that what is measured is the path
that runs (the exported graph, tiles and all), and any other detector can be measured alike. Where a forgery
comes with a mask, the map is held against it, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.aggregate import video_logit
from detector.clips import keeps
from detector.corrupt import Step, apply, apply_mask
from detector.metrics import area_auc
from detector.readers import Entry, OnFailed, opened
from detector.thresholds import Calibration
from detector.tiles import CELL, SMALLEST
from evidence.errors import DamagedMedia, MediaError
from evidence.image import decode_image
from evidence.medium import MediaInfo, Pixels, Sampling

Grid = NDArray[np.float64]


class Seen(NamedTuple):
    """What a detector says of one picture: a logit, one for each cell of 8 x 8 px (nan unseen) and family."""

    logit: float
    grid: Grid
    families: NDArray[np.float64] | None = None


Look = Callable[[Pixels], Seen]


@dataclass(frozen=True)
class Marked:
    """How the map of a picture answers its mask; of a real picture only `area` is known.

    `area` is the share of the picture that reads as forged, `auc` and `f1` are over its pixels.
    """

    area: float
    auc: float | None = None
    f1: float | None = None


@dataclass(frozen=True)
class Scored:
    """A labelled medium with its logit and what decides its calibration bucket.

    `short_side` is None for a video, which the pooled calibration judges.
    """

    entry: Entry
    logit: float
    short_side: int | None
    quality: int  # of the JPEG, 100 when lossless
    marked: Marked | None = None
    families: tuple[float, ...] | None = None  # logits of who made it, from a detector that tells


class Notebook(Protocol):
    """Scores of an earlier run."""

    def find(self, entry: Entry, delivery: str) -> Scored | None:
        """The score written down for the same content under the same delivery."""

    def add(self, scored: Scored, delivery: str) -> None:
        """Write one down."""


class Scorer:
    """Scores media by one detector; `notebook` spares what an earlier run has done."""

    def __init__(
        self,
        look: Look,
        calibration: Calibration,
        *,
        sampling: Sampling | None = None,
        notebook: Notebook | None = None,
    ) -> None:
        self._look, self._calibration, self._notebook = look, calibration, notebook
        self._sampling = sampling or Sampling()

    def score(
        self,
        entries: Iterable[Entry],
        *,
        delivered: Sequence[Step] = (),
        delivery: str = "",
        on_progress: Callable[[int], None] | None = None,
        on_failed: OnFailed | None = None,
    ) -> Iterator[Scored]:
        """Each medium's score; `delivered` is done to every frame first, real and fake alike.

        `delivery` is its name in the notebook. One that cannot be decoded is left out and handed to
        `on_failed`; without that it is raised.
        """
        for number, entry in enumerate(entries, start=1):
            known = self._notebook.find(entry, delivery) if self._notebook else None
            try:
                scored = known or self._scored(entry, delivered)
            except MediaError as error:
                if on_failed is None:
                    raise
                on_failed(entry, error)
                continue
            finally:
                if on_progress is not None:
                    on_progress(number)
            if known is None and self._notebook is not None:
                self._notebook.add(scored, delivery)
            yield scored

    def _scored(self, entry: Entry, delivered: Sequence[Step]) -> Scored:
        with opened(entry, self._sampling) as medium:
            info = medium.info
            times, seen, side = [], [], 0
            for index, frame in enumerate(medium.frames()):
                if not keeps(index, delivered):
                    continue
                pixels = apply(frame.pixels, delivered)
                side = min(pixels.shape[:2])
                times.append(frame.time_seconds)
                seen.append(self._look(pixels))
        if not seen:
            raise DamagedMedia("Not one frame can be decoded.", "Get an undamaged copy of the file.")
        worst = max(seen, key=lambda one: one.logit)  # the frame that speaks for its video
        families = None if worst.families is None else tuple(worst.families.tolist())
        if info.kind != "image":
            logit = video_logit([one.logit for one in seen], times)
            return Scored(entry, logit, None, 100, families=families)
        quality = quality_of(info, delivered)
        point = self._calibration.at(side, quality)
        marked = _marked(entry, worst.grid, point, info, delivered)
        return Scored(entry, worst.logit, side, quality, marked, families)


def quality_of(info: MediaInfo, delivered: Sequence[Step]) -> int:
    """The JPEG quality that a picture has after `delivered`, 100 when lossless."""
    quality = info.jpeg.quality if info.jpeg else 100
    for step in delivered:
        quality = int(step.settings["quality"]) if step.name == "jpeg" else quality
    return quality


def _marked(
    entry: Entry, grid: Grid, point: Calibration, info: MediaInfo, delivered: Sequence[Step]
) -> Marked | None:
    """The map against the mask: each cell counts by its pixels inside and outside of what is forged."""
    known = np.isfinite(grid)
    if not known.any() or (entry.label == "fake" and entry.mask is None):
        return None
    called = point.scores(np.where(known, grid, -np.inf)) >= point.fake_at
    area = float(called[known].mean())
    if entry.mask is None:
        return Marked(area)
    forged = mask_cells(apply_mask(_mask(entry, info), delivered), grid.shape)
    inside, outside, hot = forged[known], 1 - forged[known], called[known]
    found, missed = float(inside[hot].sum()), float(inside[~hot].sum())
    wrong = float(outside[hot].sum())
    both = inside.sum() > 0 and outside.sum() > 0
    return Marked(
        area,
        auc=area_auc(grid[known], inside, outside) if both else None,
        f1=2 * found / (2 * found + missed + wrong) if inside.sum() > 0 else None,
    )


def _mask(entry: Entry, info: MediaInfo) -> Pixels:
    """The mask (H, W), 0 to 255; raises MediaError where it cannot be read or has another size."""
    assert entry.mask is not None
    mask = decode_image(entry.mask)[1][:, :, 0]
    if mask.shape != (info.height, info.width):
        raise DamagedMedia(
            f"Its mask {entry.mask} is {mask.shape[1]} x {mask.shape[0]} px, the picture "
            f"{info.width} x {info.height}.",
            "Give a mask of the picture's own size, or take it away.",
        )
    return mask


def mask_cells(mask: Pixels, shape: tuple[int, ...]) -> Grid:
    """The forged share of each cell (rows, columns) of a mask (H, W), which is grown as a picture is."""
    growth = [(0, max(0, SMALLEST - side)) for side in mask.shape]
    grown = np.pad(mask, growth, mode="symmetric") if any(after for _, after in growth) else mask
    rows, columns = shape
    cells = grown[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    return np.asarray((cells >= 128).mean((1, 3)), np.float64)
