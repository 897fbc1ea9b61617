"""Real pictures through exported generators, at their own place and size, without torch.

A generator of any size sees the whole picture, large ones in parts that overlap. One of a fixed size sees a
square of it (a face, or what surrounds the hole), and what it makes is put back where the square was. What
was not to be made is the source's own pixels, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.errors import UsageError
from evidence.medium import Pixels
from exports.runtime import GeneratorSession
from exports.sampling import Source, drawn_inputs, opened, to_pixels
from exports.slots import Array, Feeds, Slot, slot_of, slots_of
from generators.settle import settle

STEP = 16  # the largest factor of an image-to-image generator: sides are padded to its multiples
SMALLEST = 64
CORE = 768  # large pictures are made in squares of this side ...
HALO = 96  # ... each shown with this much of its surroundings, more than a generator looks at
# Those that fill holes look farther: two stages of 80 px at most, then a membrane of 200. Where a picture
# has no hole they are not asked, and what they are shown of it has the same place in their grid of `STEP`.
HOLE_CORE, HOLE_HALO = 256, 368
SURROUNDINGS = 2.3  # times the hole's longer side is what a context encoder sees: 128 px around 56
STRIP = 32  # pixels by which a picture is continued at a time
SOFT = 1 / 16  # the share of a square's side over which a face made anew fades into the picture

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, width, height


@dataclass(frozen=True)
class Edited:
    """A picture and where it was made (True), or None where all of it was; `box` is the square looked at."""

    pixels: Pixels
    made: Mask | None = None
    box: Box | None = None


def edit(
    source: Source,
    pixels: Pixels,
    given: Feeds | None = None,
    *,
    seed: int = 0,
    mask: Mask | None = None,
    box: Box | None = None,
) -> Edited:
    """The picture (H, W, 3) as a generator of any task makes it from `given` conditions and a seed.

    `mask` is True where pixels are to be made, for generators that take one; `box` is where a face system
    of a fixed size looks, by default at the central square. Raises `UsageError`.
    """
    session = opened(source)
    slots = slots_of(session)
    image = slot_of(slots, "image")
    if image is None:
        raise UsageError(f"{session.entry.label} takes no picture.", "It draws from a seed alone: sample it.")
    feeds = drawn_inputs(slots, seed, 0) | (given or {})
    holes = slot_of(slots, "mask")
    if holes is not None:
        if mask is None or not mask.any():
            raise UsageError("No pixel is marked to be made.", "Mark some: white in the mask, or a box.")
        return _filled(session, pixels, feeds, image, holes, mask)
    task = session.entry.task
    if image.free:
        made = _whole(session, feeds, image, pixels)
        return Edited(settle(made, pixels) if task == "reconstruction" else made)
    if task in ("translation", "reconstruction"):
        seen = _fit(pixels, *image.side)
        return Edited(_fit(_once(session, feeds, image, seen), *pixels.shape[:2]))
    return _faced(session, pixels, feeds, image, box or central(pixels))


def reconstruct(source: Source, pixels: Pixels, *, settled: bool = True) -> Pixels:
    """The picture (H, W, 3) as a generator of any size rebuilds it, at its own size.

    `settled` puts the picture's own colours, tones and flat areas back, so that the generator's traces
    alone tell the two apart (`generators/settle.py`). Raises `UsageError` for one of noise.
    """
    session = opened(source)
    image = slot_of(slots_of(session), "image")
    if image is None or not image.free:
        raise UsageError(
            f"Model {session.entry.label} takes {sorted(session.inputs)}, not a picture of any size.",
            "Name a generator whose task is reconstruction; `touchstone models` lists them.",
        )
    twin = _whole(session, {}, image, pixels)
    return settle(twin, pixels) if settled else twin


def extend(
    source: Source,
    pixels: Pixels,
    sides: Mapping[str, int],
    *,
    seed: int = 0,
    on_strip: Callable[[], None] = lambda: None,
) -> Edited:
    """The picture continued by so many pixels on its "left", "right", "top", "bottom", side by side.

    A wide strip is made in strips of `STRIP`, each from what then lies beside it (Boundless, Teterwak et
    al. 2019, 1908.07007, extends so recursively); `on_strip` hears of each.
    """
    session = opened(source)
    made = np.zeros(pixels.shape[:2], bool)
    for side, total in sides.items():
        for done in range(0, total, STRIP):
            margins = _margins(side, min(STRIP, total - done))
            strip = np.pad(np.zeros(pixels.shape[:2], bool), margins, constant_values=True)
            canvas = np.pad(pixels, (*margins, (0, 0)), mode="edge")
            pixels = edit(session, canvas, mask=strip, seed=seed).pixels
            made = np.pad(made, margins, constant_values=True)
            on_strip()
    return Edited(pixels, made)


def extended_size(pixels: Pixels, sides: Mapping[str, int]) -> tuple[int, int]:
    """Width and height of what `extend` makes of the picture."""
    height, width = pixels.shape[:2]
    wider = sum(by for side, by in sides.items() if side in ("left", "right"))
    return width + wider, height + sum(sides.values()) - wider


def central(pixels: Pixels) -> Box:
    """The largest square in the middle."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side, side


def around(mask: Mask) -> Box:
    """The square with a hole in its middle and what surrounds it; it may reach beyond the picture."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    tall, wide = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    side = max(SMALLEST, round(SURROUNDINGS * max(tall, wide)))
    return int(columns[0]) + (wide - side) // 2, int(rows[0]) + (tall - side) // 2, side, side


def _filled(
    session: GeneratorSession, pixels: Pixels, feeds: Feeds, image: Slot, holes: Slot, mask: Mask
) -> Edited:
    """The marked pixels made anew, all others the source's own."""
    result = pixels.copy()
    if image.free:
        made = _whole(session, feeds, image, pixels, holes, mask)
    else:
        made = _square(session, feeds, image, pixels, holes, mask)
    result[mask] = made[mask]
    return Edited(result, mask)


def _square(
    session: GeneratorSession, feeds: Feeds, image: Slot, pixels: Pixels, holes: Slot, mask: Mask
) -> Pixels:
    """The picture with a hole filled by a generator that sees a square with the hole in its middle.

    Where the square reaches beyond the picture it sees a reflection, and of the hole there a hole.
    """
    left, top, side, _ = around(mask)
    height, width = mask.shape
    rows = (max(0, -top), max(0, top + side - height))
    columns = (max(0, -left), max(0, left + side - width))
    seen = np.pad(pixels, (rows, columns, (0, 0)), mode="reflect")
    marked = np.pad(mask, (rows, columns), mode="reflect")
    cut = _cut((left + columns[0], top + rows[0], side, side))
    small = cv2.resize(marked[cut].astype(np.float32), image.side[::-1], interpolation=cv2.INTER_AREA) > 0
    feeds = feeds | {holes.name: small[None].astype(np.float32)}
    seen[cut] = _fit(_once(session, feeds, image, _fit(seen[cut], *image.side)), side, side)
    return seen[rows[0] : rows[0] + height, columns[0] : columns[0] + width]


def _faced(session: GeneratorSession, pixels: Pixels, feeds: Feeds, image: Slot, box: Box) -> Edited:
    """The square `box` made anew, fading into the picture at its edge.

    An animated face keeps its fine detail: what the generator changed is added to the source's own pixels.
    """
    cut = _cut(box)
    height, width = pixels[cut].shape[:2]
    seen = _fit(pixels[cut], *image.side)
    answer = _once(session, feeds, image, seen)
    if session.entry.task == "animation":
        change = _fit(answer.astype(np.float32) - seen, height, width)
        made = pixels[cut] + change
    else:
        made = _fit(answer, height, width).astype(np.float32)
    weight = _fading(height, width, touching=_touching(box, pixels))[..., None]
    result = pixels.copy()
    mixed = np.rint(pixels[cut] + weight * (made - pixels[cut]))
    result[cut] = np.clip(mixed, 0, 255).astype(np.uint8)
    return Edited(result, (result != pixels).any(axis=2), box)


def _margins(side: str, by: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """So many rows or columns on one side, as `np.pad` takes them."""
    pair = (by, 0) if side in ("left", "top") else (0, by)
    return ((0, 0), pair) if side in ("left", "right") else (pair, (0, 0))


def _whole(
    session: GeneratorSession,
    feeds: Feeds,
    image: Slot,
    pixels: Pixels,
    holes: Slot | None = None,
    mask: Mask | None = None,
) -> Pixels:
    """A picture of any size through a generator of any size, in parts where it is large."""
    height, width = pixels.shape[:2]
    tall, wide = (max(SMALLEST, -(-side // STEP) * STEP) for side in (height, width))
    margins = ((0, tall - height), (0, wide - width))
    padded = np.pad(pixels, (*margins, (0, 0)), mode="reflect")
    marked = None if mask is None else np.pad(mask, margins, mode="reflect")
    made = padded.copy()
    for rows, seen_rows in _stretches(tall, None if marked is None else marked.max(1)):
        for columns, seen_columns in _stretches(wide, None if marked is None else marked[rows].max(0)):
            part = dict(feeds)
            if holes is not None and marked is not None:
                part[holes.name] = marked[None, seen_rows, seen_columns].astype(np.float32)
            answer = _once(session, part, image, padded[seen_rows, seen_columns])
            made[rows, columns] = answer[_inside(rows, seen_rows), _inside(columns, seen_columns)]
    whole: Pixels = made[:height, :width]
    return whole


def _once(session: GeneratorSession, feeds: Feeds, image: Slot, pixels: Pixels) -> Pixels:
    """One call on pixels (H, W, 3) of the size the graph takes."""
    if image.shape[0] == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
    signed = pixels.astype(np.float32).transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)
    ready = {
        name: np.ascontiguousarray(value[None]) for name, value in (feeds | {image.name: signed}).items()
    }
    return to_pixels(session.run(**ready))[0]


def _fit(values: Array, height: int, width: int) -> Array:
    """Pixels or their change at another size; averaged where they shrink."""
    if values.shape[:2] == (height, width):
        return values
    how = cv2.INTER_AREA if values.shape[0] >= height else cv2.INTER_CUBIC
    fitted: Array = cv2.resize(values, (width, height), interpolation=how)
    return fitted


def _cut(box: Box) -> tuple[slice, slice]:
    left, top, width, height = box
    return slice(top, top + height), slice(left, left + width)


def _touching(box: Box, pixels: Pixels) -> tuple[bool, bool, bool, bool]:
    """Which edges of the box are the picture's own: top, bottom, left, right."""
    left, top, width, height = box
    return top == 0, top + height == pixels.shape[0], left == 0, left + width == pixels.shape[1]


def _fading(height: int, width: int, *, touching: tuple[bool, bool, bool, bool]) -> NDArray[np.float32]:
    """Weights (H, W): 1 inside, falling to 0 at the edges that do not touch the picture's own."""
    rows, columns = (_ramp(height, *touching[:2]), _ramp(width, *touching[2:]))
    return rows[:, None] * columns[None, :]


def _ramp(length: int, first: bool, last: bool) -> NDArray[np.float32]:
    places = np.arange(length, dtype=np.float32) + np.float32(0.5)
    soft = np.float32(max(1.0, SOFT * length))
    from_first = np.ones_like(places) if first else np.minimum(places / soft, 1)
    from_last = np.ones_like(places) if last else np.minimum((length - places) / soft, 1)
    return from_first * from_last


def _stretches(length: int, wanted: Mask | None = None) -> Iterator[tuple[slice, slice]]:
    """Along one side: what is kept of each part, and what the generator is shown of it.

    Only what lies between the first and the last that is `wanted`, where not all of it is.
    """
    first, last, core, halo = 0, length, CORE, HALO
    if wanted is not None:
        places = np.flatnonzero(wanted)
        first, last = (int(places[0]) // STEP * STEP, int(places[-1]) + 1) if len(places) else (0, 0)
        core, halo = HOLE_CORE, HOLE_HALO
    for start in range(first, last, core):
        end = min(start + core, length)
        yield slice(start, end), slice(max(0, start - halo), min(length, end + halo))


def _inside(kept: slice, seen: slice) -> slice:
    return slice(kept.start - seen.start, kept.stop - seen.start)
