"""From a decoded medium to raw findings: tiles, logits, heat grid, faces, frames. No policy in here.

`examine` is a generator that owns no detector: it yields the tiles it wants scored and is sent their
`Scores`. Whoever drives it decides how tiles meet in batches (`batching.py`), and a picture alone, a
folder and a video go through the same lines. Tiles are native pixels; nothing is ever resized.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.aggregate import image_logit, spread, stitch, video_logit
from detector.attribution import picture_families
from detector.scores import Detect, Scores
from detector.scoring import Seen
from detector.thresholds import Calibration
from detector.tiles import CELL, Tile, choose, cut, plan
from evidence.errors import DamagedMedia, TooSmall
from evidence.medium import Coverage, Frame, MediaInfo, Pixels
from provenance.watermark.detect import detect as detect_mark
from worker.findings import FaceScore, Findings, FrameScore, Trial
from worker.stability import retell, worth_retelling

PREVIEW_SIDE = 1024
FACE_TILES = 8  # tiles added so that each face is looked at
SMALLEST_SIDE = 32  # pixels; below this there is nothing to examine
FLAT_ROWS = 128
MIN_FLAT_RUN = 4  # equal neighbours in a row, in pixels, that count as flat


class Medium(Protocol):
    """What `examine` needs of a decoded medium; `evidence.sandbox.DecodedMedium` is one."""

    @property
    def info(self) -> MediaInfo: ...

    @property
    def coverage(self) -> Coverage: ...

    def frames(self) -> Iterator[Frame]: ...


class Spotted(Protocol):
    """A face as a finder reports it: `box` is [x0, y0, x1, y1] in pixels."""

    @property
    def box(self) -> tuple[float, float, float, float]: ...


class FindsFaces(Protocol):
    """What `examine` needs of a face finder; `evidence.faces.FaceFinder` is one."""

    def find(self, pixels: Pixels) -> Sequence[Spotted]: ...


@dataclass(frozen=True)
class Lens:
    """How a medium is looked at: reading of logits, number of tiles, face finder, key of the watermark."""

    calibration: Calibration
    tiles_per_image: int = 64
    tiles_per_frame: int = 12
    faces: FindsFaces | None = None
    preview: bool = False
    mark_key: bytes | None = None


Examination = Generator[Pixels, Scores, Findings]
PartExamination = Generator[Pixels, Scores, tuple[FrameScore, ...]]
OnFrame = Callable[[int, int], None]


@dataclass(frozen=True)
class _Look:
    """One frame with what the detector said of it."""

    frame: Frame
    tiles: Sequence[Tile]
    tiles_to_cover: int
    scores: Scores
    logit: float
    spread: float
    faces: Sequence[Spotted]


def examine(medium: Medium, lens: Lens, on_frame: OnFrame | None = None) -> Examination:
    """Look at every frame of a medium; yields uint8 (n, h, w, 3), is sent `Scores`, returns `Findings`.

    `on_frame(done, expected)` is told of each frame. Raises TooSmall, and what decoding raises.
    """
    info = medium.info
    if min(info.width, info.height) < SMALLEST_SIDE:
        raise TooSmall(
            f"At {info.width} x {info.height} pixels there is nothing to examine: a side has less than "
            f"{SMALLEST_SIDE}.",
            "Hand in the original it was made from.",
        )
    frames, worst = yield from _look_through(medium, lens, on_frame)
    return (yield from _conclude(medium, lens, frames, worst))


def examine_part(medium: Medium, lens: Lens, on_frame: OnFrame | None = None) -> PartExamination:
    """Look at the frames of a part of a video; there may be none, where a file is damaged."""
    frames, _ = yield from _look_through(medium, lens, on_frame)
    return tuple(frames)


def examine_whole(
    medium: Medium, lens: Lens, frames: Sequence[FrameScore], coverage: Coverage
) -> Examination:
    """What `examine` finds, of a video whose frames were all looked at in parts.

    `medium` gives the frame with the highest logit again, maybe behind others.
    """
    worst = max(frames, key=lambda frame: frame.logit, default=None)
    for frame in medium.frames():
        if worst is not None and frame.index == worst.index:
            look = yield from _look(frame, lens.tiles_per_frame, [], lens.calibration.part_margin)
            return (yield from _conclude(medium, lens, frames, look, coverage))
    return (yield from _conclude(medium, lens, frames, None, coverage))


def _look_through(
    medium: Medium, lens: Lens, on_frame: OnFrame | None
) -> Generator[Pixels, Scores, tuple[list[FrameScore], _Look | None]]:
    """The score of each frame, and the frame that reads most as fake."""
    still = medium.info.kind == "image"
    budget = lens.tiles_per_image if still else lens.tiles_per_frame
    frames: list[FrameScore] = []
    worst: _Look | None = None
    for frame in medium.frames():
        faces = lens.faces.find(frame.pixels) if lens.faces and still else []
        look = yield from _look(frame, budget, faces, lens.calibration.part_margin)
        frames.append(FrameScore(frame.index, frame.time_seconds, look.logit, look.spread))
        if worst is None or look.logit > worst.logit:
            worst = look
        if on_frame is not None:
            on_frame(len(frames), max(medium.coverage.expected, len(frames)))
    return frames, worst


def _conclude(
    medium: Medium,
    lens: Lens,
    frames: Sequence[FrameScore],
    worst: _Look | None,
    coverage: Coverage | None = None,
) -> Examination:
    """What the frames say together, and what can be seen in the worst of them."""
    info = medium.info
    if worst is None:
        raise DamagedMedia(
            f"No picture in {info.path} could be decoded.", "Try the original, undamaged file."
        )
    still = info.kind == "image"
    pixels = worst.frame.pixels
    height, width = pixels.shape[:2]
    grid = stitch(worst.scores.maps, worst.tiles, height, width)
    logit, width_of_logit = _medium_logit(frames, still)
    calibration = calibration_for(lens.calibration, info)
    trials: tuple[Trial, ...] = ()
    if worth_retelling(calibration, logit, width_of_logit):
        trials = yield from retell(
            pixels, worst.tiles, worst.scores, logit=logit, part_margin=lens.calibration.part_margin
        )
    found = worst.faces if still or lens.faces is None else lens.faces.find(pixels)
    return Findings(
        info=info,
        coverage=coverage or medium.coverage,
        logit=logit,
        spread=width_of_logit,
        frames=tuple(frames),
        shown=max(range(len(frames)), key=lambda i: frames[i].logit),
        grid=grid,
        whole=float(worst.scores.logits.mean()),
        tiles=len(worst.tiles),
        tiles_to_cover=worst.tiles_to_cover,
        flat_share=flat_share(pixels),
        faces=tuple(_face_score(face, grid, height, width) for face in found),
        trials=trials,
        preview=_preview(pixels) if lens.preview else None,
        mark=detect_mark(pixels, lens.mark_key) if lens.mark_key else None,
        families=_families(worst.scores),
    )


def judge_picture(pixels: Pixels, detect: Detect, *, tiles: int, part_margin: float) -> Seen:
    """What `examine` would see of a still: logit, heat grid, families. No trials, no faces."""
    looking = _look(Frame(pixels), tiles, [], part_margin)
    scores = detect(next(looking))
    try:
        looking.send(scores)
    except StopIteration as done:
        look = done.value
        grid = stitch(scores.maps, look.tiles, *pixels.shape[:2])
        return Seen(float(look.logit), grid, _families(scores))
    raise AssertionError("a look asks once")


def _families(scores: Scores) -> NDArray[np.float64] | None:
    return None if scores.families is None else picture_families(scores.logits, scores.families)


def calibration_for(calibration: Calibration, info: MediaInfo) -> Calibration:
    """The calibration that holds for a medium: by size and JPEG quality for stills, else pooled."""
    if info.kind != "image":
        return calibration.at()
    return calibration.at(min(info.width, info.height), info.jpeg.quality if info.jpeg else None)


def flat_share(pixels: Pixels) -> float:
    """The share of the picture, 0..1, in runs of exactly equal pixels: high in drawings and screenshots.

    Every eighth row is read, of tall pictures `FLAT_ROWS`; a run counts from `MIN_FLAT_RUN` equal
    neighbours on, since compression leaves shorter ones in any sky.
    """
    rows = pixels[:: max(8, len(pixels) // FLAT_ROWS)]
    same = rows[:, 1:] == rows[:, :-1]
    equal = same[..., 0] & same[..., 1] & same[..., 2]
    width = equal.shape[1] - MIN_FLAT_RUN + 1
    if width < 1:
        return 0.0
    flat = equal[:, :width].copy()
    for shift in range(1, MIN_FLAT_RUN):
        flat &= equal[:, shift : shift + width]
    return float(flat.mean())


def _look(
    frame: Frame, budget: int, faces: Sequence[Spotted], part_margin: float
) -> Generator[Pixels, Scores, _Look]:
    height, width = frame.pixels.shape[:2]
    cover = plan(height, width)
    tiles = _with_faces(choose(frame.pixels, cover, budget), cover, faces)
    scores = yield cut(frame.pixels, tiles)
    return _Look(
        frame=frame,
        tiles=tiles,
        tiles_to_cover=len(cover),
        scores=scores,
        logit=image_logit(scores.logits, scores.maps, part_margin=part_margin),
        spread=spread(scores.maps),
        faces=faces,
    )


def _with_faces(tiles: list[Tile], cover: Sequence[Tile], faces: Sequence[Spotted]) -> list[Tile]:
    """The tiles, and for up to `FACE_TILES` faces that have none the tile around their middle."""
    kept = set(tiles)
    for face in faces[:FACE_TILES]:
        x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
        around = [t for t in cover if t.y <= y < t.y + t.height and t.x <= x < t.x + t.width]
        if around and kept.isdisjoint(around):
            kept.add(around[0])
    return [tile for tile in cover if tile in kept]


def _medium_logit(frames: Sequence[FrameScore], still: bool) -> tuple[float, float]:
    """The medium's logit and its standard error: within frames and, in a video, between them."""
    logits = np.array([frame.logit for frame in frames])
    within = float(np.mean(np.square([frame.spread for frame in frames])))
    if still:
        return float(logits[0]), within**0.5
    between = float(logits.var(ddof=1)) if len(logits) > 1 else 0.0
    times = [frame.time_seconds for frame in frames]
    return video_logit(logits, times), ((within + between) / len(logits)) ** 0.5


def _face_score(face: Spotted, grid: NDArray[np.float64], height: int, width: int) -> FaceScore:
    x0, y0 = max(0, int(face.box[0])), max(0, int(face.box[1]))
    x1, y1 = min(width, int(np.ceil(face.box[2]))), min(height, int(np.ceil(face.box[3])))
    cells = grid[y0 // CELL : max(y0 // CELL + 1, y1 // CELL), x0 // CELL : max(x0 // CELL + 1, x1 // CELL)]
    seen = cells[np.isfinite(cells)]
    return FaceScore((x0, y0, x1, y1), float(seen.mean()) if seen.size else None)


def _preview(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = PREVIEW_SIDE / max(height, width)
    if scale >= 1:
        return pixels.copy()
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
