"""The same chains for moving pictures: codecs see the whole clip, and frames can be dropped.

Everything else is done to each frame; noise and grain differ from frame to frame, a caption stays in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from detector.corrupt import Step, apply, apply_mask
from evidence.medium import Pixels
from evidence.video_writer import roundtrip

_MOVING = ("noise", "grain")


def apply_to_clip(
    frames: Sequence[Pixels], chain: Sequence[Step], frames_per_second: float
) -> tuple[list[Pixels], float]:
    """The frames after every step, and how many of them a second has."""
    shown = list(frames)
    for step in chain:
        if step.name == "frame_rate":
            shown = [frame for index, frame in enumerate(shown) if keeps(index, (step,))]
            frames_per_second *= step.settings["factor"]
        elif step.name == "video":
            shown = roundtrip(shown, **step.settings)
        else:
            shown = [apply(frame, (_at(step, index),)) for index, frame in enumerate(shown)]
    return shown, frames_per_second


def apply_to_masks(masks: Sequence[Pixels], chain: Sequence[Step]) -> list[Pixels]:
    """The masks of a clip's frames after the chain: those of the frames that are left."""
    return [apply_mask(mask, chain) for index, mask in enumerate(masks) if keeps(index, chain)]


def keeps(index: int, chain: Sequence[Step]) -> bool:
    """Whether the frame of this number is still there after the chain; the first always is."""
    for step in chain:
        if step.name == "frame_rate":
            factor = step.settings["factor"]
            before, index = index, math.floor(index * factor)
            if before and index == math.floor((before - 1) * factor):
                return False
    return True


def changes_rate(chain: Sequence[Step]) -> bool:
    """Whether the chain does something that only a clip can show."""
    return any(step.name == "frame_rate" for step in chain)


def _at(step: Step, index: int) -> Step:
    if step.name not in _MOVING:
        return step
    return replace(step, settings={**step.settings, "seed": step.settings["seed"] + index})
