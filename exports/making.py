"""What is asked of a generator, made: samples, changed pictures and films, each a file with its origin.

Without torch. Who asks reads the pictures and writes the files: a command in a folder, a worker in the store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from evidence.errors import UsageError
from evidence.faces import FaceFinder
from evidence.jpeg import LONGEST_SIDE, encode_like
from evidence.limits import DecodeLimits
from evidence.medium import MediaInfo, Pixels
from evidence.video_writer import write_gif, write_video
from exports.editing import STRIP, Box, Edited, Mask, edit, extend, extended_size
from exports.films import FRAMES_PER_SECOND, LEG, expression_sweep, interpolation, rotation_sweep
from exports.forging import FindFace
from exports.manifest import SHEET
from exports.runtime import GeneratorSession
from exports.sampling import drawn, feeds_of, grid
from exports.slots import Slot, slots_of
from exports.wishes import Asked, Condition, Spoken, box_of, conditions_of, refuse_foreign
from generators.delivery import png

SAMPLES, STATIONS = 16, 6
MOST_IN_GRID = 64
GLIMPSES_PER_SECOND = 2
FACE_SHARE = 1.25  # LFW teaches faces in squares of 1.21, CelebA of 1.26 times the height that YuNet finds

Original = tuple[int, MediaInfo, Pixels]  # an input: its number, what is known of it, its pixels
Touch = Callable[[Pixels], Pixels]
ReadMask = Callable[[str], Pixels]  # the pixels of a mask by the name it was asked with


@dataclass(frozen=True)
class Made:
    """A file to be written: its name, what it came from, and its pixels if it is a picture.

    `glimpses` are frames of a film, `GLIMPSES_PER_SECOND` of them.
    """

    stem: str
    suffix: str
    content: bytes
    origin: dict[str, Any]
    shown: tuple[Pixels, ...] = ()
    mask: bytes | None = None
    glimpses: tuple[Pixels, ...] = ()


def untouched(pixels: Pixels) -> Pixels:
    """What is done to pixels before they are encoded where nothing is to be done."""
    return pixels


@dataclass(frozen=True)
class Order:
    """A system and what is asked of it, once it is sure that it takes that: see `order_of`.

    `touch` goes over the pixels of whatever is made before they are encoded, as a watermark does.
    """

    session: GeneratorSession
    slots: dict[str, Slot]
    asked: Asked
    conditions: Sequence[Condition]
    find_face: FindFace | None = None
    spoken: Spoken = str
    max_pixels: int = DecodeLimits.max_pixels
    touch: Touch = untouched

    @property
    def seed(self) -> int:
        return self.asked.seed or 0

    @property
    def count(self) -> int:
        """Samples to draw, or stations of a film."""
        return self.asked.count or (STATIONS if self.asked.film else SAMPLES)

    @property
    def origin(self) -> dict[str, Any]:
        """What every file has in common."""
        entry = self.session.entry
        who = {"generator": entry.name, "version": entry.version, "model_sha256": entry.sha256}
        is_drawn = any(slot.role == "latent" for slot in self.slots.values())
        return {"label": "fake", **who, **({"seed": self.seed} if is_drawn else {})}

    def files(self, inputs: int) -> int:
        """How many files that will be, of so many inputs."""
        each = 1 if self.asked.film else len(self.conditions)
        return inputs * each if inputs else 1 if self.asked.film else self.count

    @property
    def sides(self) -> dict[str, int]:
        """By how many pixels each side is to be continued."""
        return dict.fromkeys(self.asked.side, self.asked.extend or STRIP)

    def parts(self, inputs: int) -> int:
        """How many frames its films will have, or strips its continued pictures; 0 where a file is one."""
        film, expressions = self.asked.film, len(self.conditions)
        stations = {"interpolation": self.count, "expression": inputs * expressions, "rotation": 2 * inputs}
        return LEG * stations[film] if film else inputs * sum(-(-by // STRIP) for by in self.sides.values())


def order_of(
    session: GeneratorSession,
    asked: Asked,
    spoken: Spoken = str,
    *,
    find_face: FindFace | None = None,
    max_pixels: int = DecodeLimits.max_pixels,
) -> Order:
    """What is asked of the session's system; raises UsageError for what it does not take.

    `max_pixels` bounds what a continued picture may come to.
    """
    slots = slots_of(session)
    refuse_foreign(session.entry, slots, asked, spoken)
    if len(asked.mask) not in (0, 1, len(asked.input)):
        raise UsageError(
            f"There are {len(asked.mask)} masks for {len(asked.input)} inputs.",
            "Give one for all, or one each.",
        )
    found = find_face if session.entry.task in ("animation", "rotation") else None
    return Order(session, slots, asked, conditions_of(slots, asked), found, spoken, max_pixels)


def make(
    order: Order,
    originals: Iterable[Original] = (),
    read_mask: ReadMask | None = None,
    *,
    on_part: Callable[[], None] = lambda: None,
) -> Iterator[Made]:
    """Each file that was asked for; `on_part` hears of each of `Order.parts`. Raises UsageError."""
    if order.asked.film:
        return _films(order, originals, on_part)
    return _edits(order, originals, read_mask, on_part) if order.asked.input else _samples(order)


def sheet(order: Order, pictures: Sequence[Pixels]) -> bytes:
    """One sheet as PNG, a line for each round of the conditions."""
    columns = len(order.conditions) * (2 if order.asked.input else 1)
    return png(grid(pictures, columns if columns > 1 else None))


def sheet_name(order: Order) -> str:
    """What the sheet is called beside the pictures."""
    return f"{order.session.entry.name}-{order.seed}{SHEET}"


def face_square(model: str | Path | None) -> FindFace | None:
    """A function that finds the square around the surest face of a picture, where there is a face model."""
    if model is None:
        return None
    finder = FaceFinder(model)

    def find(pixels: Pixels) -> Box | None:
        found = finder.find(pixels)
        if not found:
            return None
        x0, y0, x1, y1 = found[0].box
        height, width = pixels.shape[:2]
        side = min(height, width, round(FACE_SHARE * max(x1 - x0, y1 - y0)))
        left = int(np.clip((x0 + x1 - side) // 2, 0, width - side))
        top = int(np.clip((y0 + y1 - side) // 2, 0, height - side))
        return left, top, side, side

    return find


def _samples(order: Order) -> Iterator[Made]:
    """Pictures from latents and conditions."""
    given = [condition.feeds for condition in order.conditions]
    feeds = feeds_of(order.session, order.count, order.seed, given, truncation=order.asked.truncation)
    for index, pixels in enumerate(map(order.touch, drawn(order.session, feeds))):
        condition = order.conditions[index % len(order.conditions)].words
        origin = order.origin | {"index": index, **_truncated(order), **condition} | _size(pixels)
        stem = f"{order.session.entry.name}-{order.seed}-{index:05d}"
        yield Made(stem, ".png", png(pixels), origin, (pixels,))


def _edits(
    order: Order, originals: Iterable[Original], read_mask: ReadMask | None, on_part: Callable[[], None]
) -> Iterator[Made]:
    """Each real picture under each condition, delivered as it came."""
    for number, info, pixels in originals:
        mask = _mask(order, number, pixels, read_mask)
        _require_room(order, info, pixels)
        for condition in order.conditions:
            edited = _edit(order, pixels, condition, mask, on_part)
            touched = order.touch(edited.pixels)
            data = png(touched) if info.jpeg is None else encode_like(touched, info.jpeg)
            where: dict[str, Any] = {"box": list(edited.box)} if edited.box else {}
            if order.asked.side:
                where |= {"side": list(order.asked.side), "extend": order.asked.extend or STRIP}
            origin = order.origin | _parent(info) | where | dict(condition.words) | _size(edited.pixels)
            made = None if edited.made is None else png(edited.made.astype(np.uint8) * 255)
            stem = f"{Path(info.path).stem}-{order.session.entry.name}"
            suffix = ".png" if info.jpeg is None else ".jpg"
            shown = (pixels, edited.pixels) if pixels.shape == edited.pixels.shape else (edited.pixels,)
            yield Made(stem, suffix, data, origin, shown, made)


def _edit(
    order: Order, pixels: Pixels, condition: Condition, mask: Mask | None, on_part: Callable[[], None]
) -> Edited:
    if order.asked.side:
        return extend(order.session, pixels, order.sides, seed=order.seed, on_strip=on_part)
    box = None if mask is not None else _square(order, pixels)
    return edit(order.session, pixels, condition.feeds, seed=order.seed, mask=mask, box=box)


def _require_room(order: Order, info: MediaInfo, pixels: Pixels) -> None:
    """Raise UsageError where the picture, continued, would be larger than anybody may read."""
    width, height = extended_size(pixels, order.sides)
    fewer = f"Take fewer pixels a side ({order.spoken('extend')})"
    if width * height > order.max_pixels:
        raise UsageError(
            f"{info.path} would become {width:,} x {height:,} = {width * height:,} pixels; "
            f"the limit is {order.max_pixels:,}.",
            f"{fewer}, or raise the pixel limit in the settings.",
        )
    if info.jpeg is not None and max(width, height) > LONGEST_SIDE:
        raise UsageError(
            f"{info.path} would become {width:,} x {height:,} pixels; "
            f"a JPEG has {LONGEST_SIDE:,} a side at most.",
            f"{fewer}, or give the picture as PNG.",
        )


def _films(order: Order, originals: Iterable[Original], on_frame: Callable[[], None]) -> Iterator[Made]:
    """One film from seed to seed, or one for each real picture."""

    def made(stem: str, frames: Iterator[Pixels], origin: dict[str, Any]) -> Made:
        suffix = ".gif" if order.asked.gif else ".mp4"
        first = order.touch(next(frames))
        frames, glimpses = chain([first], map(order.touch, frames)), list[Pixels]()
        content = _film(_told(frames, on_frame, glimpses), suffix)
        origin = order.origin | origin | _size(first)
        return Made(f"{stem}-{order.asked.film}", suffix, content, origin, glimpses=tuple(glimpses))

    name, words = order.session.entry.name, [dict(condition.words) for condition in order.conditions]
    if not order.asked.input:
        given = [condition.feeds for condition in order.conditions]
        truncation = order.asked.truncation
        frames = interpolation(order.session, order.count, order.seed, given, truncation=truncation)
        origin = {"film": order.asked.film, "stations": order.count, "conditions": words}
        yield made(f"{name}-{order.seed}", frames, origin | _truncated(order))
    for _, info, pixels in originals:
        box = _square(order, pixels)
        if order.asked.film == "rotation":
            frames = rotation_sweep(order.session, pixels, seed=order.seed, box=box)
        else:
            targets = [value for one in order.conditions for value in one.feeds.values()]
            frames = expression_sweep(order.session, pixels, targets, seed=order.seed, box=box)
        origin = {"film": order.asked.film, "conditions": words, **_parent(info)}
        yield made(f"{Path(info.path).stem}-{name}", frames, origin)


def _mask(order: Order, number: int, pixels: Pixels, read_mask: ReadMask | None) -> Mask | None:
    """Where input `number` is to be made anew, for a system that fills holes."""
    asked = order.asked
    if not any(slot.role == "mask" for slot in order.slots.values()) or asked.side:
        return None
    if not asked.mask:
        left, top, width, height = box_of(str(asked.box), pixels)
        marked = np.zeros(pixels.shape[:2], bool)
        marked[top : top + height, left : left + width] = True
        return marked
    assert read_mask is not None
    name = asked.mask[number % len(asked.mask)]
    painted = read_mask(name)
    if painted.shape != pixels.shape:
        tall, wide = pixels.shape[:2]
        raise UsageError(
            f"The mask {name} has {painted.shape[1]} x {painted.shape[0]} pixels, "
            f"its picture {wide} x {tall}.",
            "Draw it in the size of the picture: white where pixels are to be made, black where not.",
        )
    return np.asarray(painted.max(axis=2) > 127)


def _square(order: Order, pixels: Pixels) -> Box | None:
    """Where a face system looks: the box that was named, around the surest face, or None for the centre."""
    if order.asked.box is not None:
        return box_of(order.asked.box, pixels)
    return None if order.find_face is None else order.find_face(pixels)


def _film(frames: Iterator[Pixels], suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"film{suffix}"
        if suffix == ".gif":
            write_gif(path, frames, FRAMES_PER_SECOND)
        else:
            write_video(path, frames, FRAMES_PER_SECOND)
        return path.read_bytes()


def _told(frames: Iterator[Pixels], on_frame: Callable[[], None], glimpses: list[Pixels]) -> Iterator[Pixels]:
    for number, frame in enumerate(frames):
        on_frame()
        if number % (FRAMES_PER_SECOND // GLIMPSES_PER_SECOND) == 0:
            glimpses.append(frame)
        yield frame


def _parent(info: MediaInfo) -> dict[str, Any]:
    return {"twin_of": info.path, "parents": [info.sha256]}


def _truncated(order: Order) -> dict[str, float]:
    return {} if order.asked.truncation is None else {"truncation": order.asked.truncation}


def _size(pixels: Pixels) -> dict[str, int]:
    return {"width": pixels.shape[1], "height": pixels.shape[0]}
