"""Clips forged coherently in time: one condition, seed and hole for all frames, and no flicker between them.

A condition swells from none to what was drawn and back. The face is sought in every frame; its square
moves smoothly. What was changed is carried along the real's optical flow and mixed with what changes in
the next frame, a hole's filling with the one before; where the scene changes, both begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.medium import Pixels
from exports.chance import Rng, Wish, drawn_conditions, drawn_hole
from exports.conditions import expression
from exports.editing import Box, Mask, central, edit
from exports.runtime import GeneratorSession
from exports.slots import Feeds, Slot, slot_of, slots_of
from generators.delivery import AREA, blended, soft_region
from generators.settle import settle

FACES = ("animation", "rotation")  # tasks that look at the square of a face
CARRIED = 0.5  # of what was changed in a frame stays in the next
_STEADY = 3.0  # frames over which the place of a face is averaged
_CUT = 24.0  # grey levels by which frames differ on the average where the scene changes
_LIGHT = 6  # parts of a face's side: what is coarser keeps the real's light
_SPECK = 10  # parts of a face's side: colours change no finer
_LUMA = (0.299, 0.587, 0.114)
_SEAM = 2.0  # pixels by which a hole's filling is let into its surroundings

Change = NDArray[np.float32]


@dataclass(frozen=True)
class Filmed:
    """The frames of a forged clip, where each was made (None: all of it), the squares looked at."""

    frames: tuple[Pixels, ...]
    made: tuple[Mask, ...] | None = None
    boxes: tuple[Box, ...] = ()


def filmed(
    session: GeneratorSession,
    frames: Sequence[Pixels],
    rng: Rng,
    wish: Wish,
    *,
    seed: int,
    boxes: Sequence[Box],
    partial: bool,
) -> tuple[Filmed, dict[str, Any]]:
    """What a generator makes of the frames of a clip, and what it was asked for.

    `boxes` are where a face system looks in each frame; without them at the central squares.
    """
    slots, task = slots_of(session), session.entry.task
    words, feeds = drawn_conditions(rng, slots, wish)
    hole = drawn_hole(rng, slots, task, frames[0], wish)
    made = []
    for at, frame in enumerate(frames):
        share = 0.5 - 0.5 * np.cos(2 * np.pi * at / len(frames))
        box = boxes[at] if boxes else central(frame)
        looked = box if task in FACES else None
        now = _at(slots, feeds, share)
        result = edit(session, frame, now, seed=seed, mask=hole, box=looked).pixels
        if task == "animation":
            result = _calmed(result, frame, box, share)
        elif task == "rotation":
            result = _lit(result, frame, box)
        elif task == "translation":
            result = settle(result, frame)
        made.append(result)
    if hole is not None:
        shown = _held(frames, made, hole)
        return Filmed(tuple(shown), (hole,) * len(shown)), words
    if task in FACES:
        shown = _carried(frames, made)
        changed = [(one != real).any(axis=2) for one, real in zip(shown, frames, strict=True)]
        return Filmed(tuple(shown), tuple(changed), tuple(boxes)), words
    if partial:
        alpha = soft_region(rng, *frames[0].shape[:2], share=wish.area or AREA)
        shown = [blended(real, one, alpha) for real, one in zip(frames, made, strict=True)]
        return Filmed(tuple(shown), (alpha >= 0.5,) * len(shown)), words
    return Filmed(tuple(made)), words


def boxes_of(frames: Sequence[Pixels], find: Callable[[Pixels], Box | None]) -> tuple[Box, ...]:
    """The square of the face in each frame: of one size, on a smooth path; none where no face is found."""
    found = [(at, box) for at, frame in enumerate(frames) if (box := find(frame)) is not None]
    if not found:
        return ()
    height, width = frames[0].shape[:2]
    side = min(height, width, round(float(np.median([box[2] for _, box in found]))))
    times = np.arange(len(frames))
    path = []
    for axis, most in ((0, width - side), (1, height - side)):
        middles = [box[axis] + box[2] / 2 - side / 2 for _, box in found]
        line = np.interp(times, [at for at, _ in found], middles).astype(np.float32)
        smooth = cv2.GaussianBlur(line[None], (0, 0), _STEADY, borderType=cv2.BORDER_REPLICATE)[0]
        path.append(np.clip(np.rint(smooth), 0, most).astype(int))
    return tuple((int(left), int(top), side, side) for left, top in zip(*path, strict=True))


def _at(slots: dict[str, Slot], feeds: Feeds, share: float) -> Feeds:
    """The conditions at so much of their strength."""
    now = dict(feeds)
    units, yaw = slot_of(slots, "units"), slot_of(slots, "yaw")
    if units is not None:
        rest = expression(units, "neutral")
        now[units.name] = (rest + share * (feeds[units.name] - rest)).astype(units.dtype)
    if yaw is not None:
        now[yaw.name] = np.asarray(share * feeds[yaw.name], yaw.dtype)
    return now


def _carried(reals: Sequence[Pixels], made: Sequence[Pixels]) -> list[Pixels]:
    """Each change mixed with the one before, moved as the real moved."""
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    shown: list[Pixels] = []
    before: tuple[Pixels, Change] | None = None
    for real, one in zip(reals, made, strict=True):
        change = one.astype(np.float32) - real
        grey = np.asarray(cv2.cvtColor(real, cv2.COLOR_RGB2GRAY), np.uint8)
        if before is not None and not _cut(before[0], grey):
            flow = flow_of.calc(grey, before[0], None)
            inside = (np.abs(change) > 0).any(axis=2, keepdims=True)
            moved = _moved(before[1], np.asarray(flow, np.float32))
            change = np.where(inside, change + np.float32(CARRIED) * (moved - change), change)
        before = grey, change
        shown.append(np.clip(np.rint(real + change), 0, 255).astype(np.uint8))
    return shown


def _calmed(made: Pixels, real: Pixels, box: Box, share: float) -> Pixels:
    """An animated face without specks of colour, changed by so much as the expression is there."""
    square = _square(box)
    change = made[square].astype(np.float32) - real[square]
    luma = change @ np.array(_LUMA, np.float32)
    tint = cv2.GaussianBlur(change - luma[..., None], (0, 0), box[3] / _SPECK)
    result = real.copy()
    mixed = real[square] + np.float32(np.sqrt(share)) * (luma[..., None] + tint)
    result[square] = np.clip(np.rint(mixed), 0, 255)
    return result


def _lit(made: Pixels, real: Pixels, box: Box) -> Pixels:
    """A face that was made anew, in the light of the real, and let softly into its head."""
    square, side = _square(box), box[3]
    settled = settle(made[square], real[square], side / _LIGHT)
    oval = np.zeros((box[3], box[2]), np.float32)
    axes = round(0.34 * box[2]), round(0.42 * side)
    cv2.ellipse(oval, (box[2] // 2, side // 2), axes, 0, 0, 360, 1.0, thickness=-1)
    result = real.copy()
    result[square] = blended(
        real[square], settled, cv2.GaussianBlur(oval, (0, 0), side / 24).astype(np.float32)
    )
    return result


def _square(box: Box) -> tuple[slice, slice]:
    left, top, width, height = box
    return slice(top, top + height), slice(left, left + width)


def _cut(before: Pixels, now: Pixels) -> bool:
    return float(np.mean(np.abs(now.astype(np.int16) - before))) > _CUT


def _moved(change: Change, flow: Change) -> Change:
    rows, columns = np.indices(flow.shape[:2], np.float32)
    return np.asarray(
        cv2.remap(
            change,
            columns + flow[..., 0],
            rows + flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def _held(reals: Sequence[Pixels], made: Sequence[Pixels], hole: Mask) -> list[Pixels]:
    """Each filling mixed with the one before, and let softly into the frame within the hole."""
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), _SEAM, borderType=cv2.BORDER_REPLICATE)
    alpha = np.where(hole, np.clip(2 * soft - 1, 0, 1), 0).astype(np.float32)
    shown: list[Pixels] = []
    filling: Change | None = None
    before = reals[0]
    for real, one in zip(reals, made, strict=True):
        now = one.astype(np.float32)
        if filling is not None and not _cut(before, real):
            now = now + np.float32(CARRIED) * (filling - now)
        filling, before = now, real
        shown.append(blended(real, np.clip(np.rint(filling), 0, 255).astype(np.uint8), alpha))
    return shown
