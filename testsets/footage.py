"""A real clip as it and its forgeries travel: the same window, chain, codec, quality, rate and length."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from detector.clips import apply_to_clip, apply_to_masks
from detector.corrupt import Step
from evidence.errors import TooSmall
from evidence.image import decode_image
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Pixels, Sampling
from evidence.video import VideoReader
from evidence.video_writer import CODECS, encode_clip
from exports.chance import Rng
from exports.editing import Box
from generators.delivery import GRID, central_square
from testsets.shots import LEAST_FRAMES, Shot

_ANY = 10**9  # frames: of a long video a part is taken, whatever a scan of it would look at


@dataclass(frozen=True)
class Footage:
    """The frames (H, W, 3) of a real clip before its chain, and how both sides are delivered."""

    frames: tuple[Pixels, ...] = field(repr=False)
    rate: float
    shot: Shot
    chain: tuple[Step, ...] = ()

    @property
    def extension(self) -> str:
        return CODECS[self.shot.codec].container

    @property
    def data(self) -> bytes:
        """The real clip as written."""
        return self.encode(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as written."""
        (first,) = apply_to_clip(self.frames[:1], self.chain, self.rate)[0]
        height, width = (side + side % 2 for side in first.shape[:2])
        return width, height

    def encode(self, frames: Sequence[Pixels]) -> bytes:
        """Other frames through the same chain and codec."""
        shown, rate = apply_to_clip(frames, self.chain, self.rate)
        return encode_clip(shown, rate, self.shot.codec, crf=self.shot.crf)

    def place(self, masks: Sequence[Pixels]) -> Pixels:
        """The masks (H, W) of the frames that are written, one below the other."""
        placed = apply_to_masks(masks, self.chain)
        stacked = np.concatenate(
            [np.pad(mask, [(0, side % 2) for side in mask.shape], "edge") for mask in placed]
        )
        return np.where(stacked >= 128, np.uint8(255), np.uint8(0))

    def facts(self) -> dict[str, object]:
        """What a manifest says of the clip itself."""
        shown, rate = apply_to_clip(self.frames, self.chain, self.rate)
        return {
            "frames": len(shown),
            "frames_per_second": rate,
            "codec": self.shot.codec,
            "crf": self.shot.crf,
        }


def film(
    data: bytes,
    shot: Shot,
    chain: tuple[Step, ...],
    rng: Rng,
    *,
    crop: int | None,
    fit: int | None,
    find_face: Callable[[Pixels], Box | None],
    limits: DecodeLimits,
) -> Footage:
    """The frames of a video that a shot takes, in a window around the first face, else anywhere.

    Raises MediaError; TooSmall where the video has too few frames.
    """
    reader = VideoReader(io.BytesIO(data), replace(limits, max_frames=_ANY), threads=1)
    there = len(reader.table.order())
    count = min(shot.frames, there)
    if count < LEAST_FRAMES:
        raise TooSmall(f"It has {there} frames; {LEAST_FRAMES} are the least.", "Take longer videos.")
    first = round(shot.begin * (there - count))
    sampling = Sampling(mode="all", max_frames=there, part=(first, first + count))
    frames = [frame.pixels for frame in reader.frames(sampling, Coverage())]
    seconds = reader.table.seconds()
    rate = round(there / seconds, 2) if seconds else 25.0
    if fit:
        frames = [central_square(frame, fit) for frame in frames]
    elif crop:
        top, left = _corner(frames[0], crop, find_face(frames[0]), rng)
        frames = [np.ascontiguousarray(frame[top : top + crop, left : left + crop]) for frame in frames]
    return Footage(tuple(frames), rate, shot, chain)


def frames_of(clip: Path) -> list[Pixels]:
    """Every frame of a clip of a set; raises MediaError."""
    reader = VideoReader(io.BytesIO(clip.read_bytes()), DecodeLimits(max_frames=_ANY), threads=1)
    return [frame.pixels for frame in reader.frames(Sampling(mode="all", max_frames=_ANY), Coverage())]


def masks_of(mask: Path, frames: int) -> list[Pixels]:
    """The mask of each frame, from the picture in which they lie one below the other."""
    stacked = decode_image(mask)[1][:, :, 0]
    return list(stacked.reshape(frames, -1, stacked.shape[1]))


def _corner(frame: Pixels, side: int, face: Box | None, rng: Rng) -> tuple[int, int]:
    """Top and left of a window on the codec's grid: a face in its middle, or anywhere."""
    room = [max(0, length - side) for length in frame.shape[:2]]
    if face is None:
        return int(rng.integers(0, room[0] // GRID + 1)) * GRID, int(
            rng.integers(0, room[1] // GRID + 1)
        ) * GRID
    left, top, width, height = face
    wanted = (top + (height - side) // 2, left + (width - side) // 2)
    up, along = (min(max(0, place), most) // GRID * GRID for place, most in zip(wanted, room, strict=True))
    return up, along
