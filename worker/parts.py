"""A long video in parts: where it is cut, what comes of a part, and how the parts are one video again.

Costs are counted in tiles of the detector, 4 ms each on the two cores they were measured on: a frame costs
its tiles, a megapixel decoded on the way about one. Opening a part costs its packets being listed, 0.8 s a
gigabyte; so a part is worth twenty times that, and never less than `Settings.part_tiles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any

from detector.tiles import plan
from evidence import errors
from evidence.errors import MediaError, PartLost
from evidence.medium import Coverage, MediaInfo
from provenance.perceptual import Mark
from worker.findings import FrameScore
from worker.jobs.model import Shard, ShardState

TILES_PER_GIGABYTE = 4_000

Part = tuple[int, int]  # the first of the sampled frames, and the one behind the last


@dataclass(frozen=True)
class Long:
    """A video that is worth several shards."""

    info: MediaInfo
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Looked:
    """What was seen in a part of a video, or in all of it, and the milliseconds it took by stage.

    `marks` are its key frames for the registry, as they are: mirrored and turned ones are not carried.
    """

    frames: tuple[FrameScore, ...]
    coverage: Coverage
    timings: Mapping[str, float] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it, to the last digit."""
        return {
            "frames": [list(astuple(frame)) for frame in self.frames],
            "coverage": asdict(self.coverage),
            "timings": dict(self.timings),
            "marks": [[mark.seconds, mark.hash.hex()] for mark in self.marks],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Looked:
        """What `to_plain` gave."""
        frames = tuple(FrameScore(*frame) for frame in plain["frames"])
        marks = tuple(Mark(bytes.fromhex(text), seconds=at) for at, text in plain.get("marks", ()))
        return cls(frames, Coverage(**plain["coverage"]), plain["timings"], marks)


@dataclass(frozen=True)
class Whole:
    """A video put together: what was seen of it, or why nothing can be said.

    `around` is a stretch of the sampled frames that begins at the worst one, or before it in a damaged file.
    """

    looked: Looked | MediaError
    sha256: str
    around: Part = (0, 1)


def parts_of(info: MediaInfo, tiles_per_frame: int, least: int) -> tuple[Part, ...]:
    """The parts of a video that is worth two or more: of about equal cost, at least `least` tiles each."""
    if not least or len(info.seams) < 2:
        return ()
    tiles = min(tiles_per_frame, len(plan(info.height, info.width)))
    megapixels = info.width * info.height / 1e6
    costs = [frames * tiles + pictures * megapixels for frames, pictures in info.seams]
    count = int(costs[-1] / max(least, TILES_PER_GIGABYTE * info.size_bytes / 1e9))
    if count < 2:
        return ()
    ends, spent = [], 0.0
    for (frames, _), cost in zip(info.seams[:-1], costs[:-1], strict=True):
        if cost - spent >= costs[-1] / count and costs[-1] - cost >= costs[-1] / count / 2:
            ends.append(frames)
            spent = cost
    ends.append(info.seams[-1][0])
    return tuple(zip([0, *ends], ends, strict=False)) if len(ends) > 1 else ()


def part_plain(looked: Looked | MediaError) -> dict[str, Any]:
    """What came of a part, as JSON holds it."""
    if isinstance(looked, MediaError):
        return {"error": [type(looked).__name__, looked.message, looked.advice]}
    return looked.to_plain()


def put_together(parts: Sequence[Shard], sha256: str) -> Whole:
    """The parts of one video, ended, as a whole; the first trouble in it is that of the whole."""
    seen: list[Looked] = []
    for shard in parts:
        if shard.state is not ShardState.DONE or shard.result is None:
            said = (shard.cause or {}).get("message", "It was not done.")
            return Whole(
                PartLost(f"A part of this video could not be scanned: {said}", "Scan it again."), sha256
            )
        if "error" in shard.result:
            kind, message, advice = shard.result["error"]
            return Whole(getattr(errors, kind)(message, advice), sha256)
        seen.append(Looked.from_plain(shard.result))
    logits = [
        (frame.logit, part, place) for part, one in enumerate(seen) for place, frame in enumerate(one.frames)
    ]
    around = (0, 1)
    if logits:
        _, part, place = max(logits, key=lambda one: one[0])  # the first of equals, as in one piece
        first, end = parts[part].payload["part"]
        around = (first + place, end)
    return Whole(_joined(seen), sha256, around)


def _joined(seen: Sequence[Looked]) -> Looked:
    coverage, timings = Coverage(), dict[str, float]()
    for one in seen:
        coverage.decoded += one.coverage.decoded
        coverage.expected += one.coverage.expected
        coverage.errors += one.coverage.errors
        for stage, milliseconds in one.timings.items():
            timings[stage] = timings.get(stage, 0.0) + milliseconds
    marks = tuple(mark for one in seen for mark in one.marks)
    return Looked(tuple(frame for one in seen for frame in one.frames), coverage, timings, marks)
