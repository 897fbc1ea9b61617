"""Pictures drawn from exported generators, without torch: from noise, classes or captions.

Where a session is opened for every call, give the entry; who draws often opens a `GeneratorSession`
once and gives that. Generators that change a picture are `exports/editing.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.errors import ModelError
from evidence.medium import Pixels
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.slots import Array, Feeds, Slot, slot_of, slots_of

Source = ModelEntry | GeneratorSession

LARGEST_BATCH = 64
CELL = 512  # px of a sheet for each picture, where they have several sizes


def sample(
    source: Source, count: int, seed: int, given: Sequence[Feeds] = (), *, truncation: float | None = None
) -> list[Pixels]:
    """`count` pictures RGB uint8 (H, W, 3); picture n depends on (seed, n) and its conditions alone.

    Picture n has the conditions `given[n % len(given)]`, by input name without the batch axis; without
    any, classes come in turn. Raises `ModelError` when an input is missing.
    """
    session = opened(source)
    return list(drawn(session, feeds_of(session, count, seed, given, truncation=truncation)))


def feeds_of(
    session: GeneratorSession,
    count: int,
    seed: int,
    given: Sequence[Feeds] = (),
    *,
    truncation: float | None = None,
) -> Iterator[Feeds]:
    """The inputs of each of `count` pictures: what `sample` runs."""
    slots = slots_of(session)
    for number in range(count):
        conditions = given[number % len(given)] if given else {}
        yield drawn_inputs(slots, seed, number, truncation) | conditions


def drawn(session: GeneratorSession, feeds: Iterator[Feeds]) -> Iterator[Pixels]:
    """A picture for each of `feeds`, run in batches."""
    size = _batch(session)
    waiting: list[Feeds] = []
    for one in feeds:
        waiting.append(one)
        if len(waiting) == size:
            yield from _run(session, waiting)
            waiting = []
    if waiting:
        yield from _run(session, waiting)


def drawn_inputs(slots: dict[str, Slot], seed: int, number: int, truncation: float | None = None) -> Feeds:
    """What chance and counting give picture `number`: its latents, its class in turn, its truncation.

    A graph with an input for it truncates by itself (StyleGAN, Karras et al. 2018, 1812.04948). For others
    normal values beyond `truncation` are drawn anew (BigGAN, Brock et al. 2018, 1809.11096).
    """
    rng = np.random.default_rng((seed, number))
    inside = slot_of(slots, "truncation") is not None
    found: Feeds = {}
    for slot in slots.values():
        if slot.role == "latent":
            found[slot.name] = _latent(rng, slot, None if inside else truncation)
        elif slot.role == "label":
            found[slot.name] = np.asarray(number % len(slot.names), slot.dtype)
        elif slot.role == "truncation":
            found[slot.name] = np.asarray(slot.high if truncation is None else truncation, slot.dtype)
    return found


def grid(pictures: Sequence[Pixels], columns: int | None = None) -> Pixels:
    """Pictures as one sheet, in reading order, about square; empty places are white.

    Of several sizes each has a place as large as the largest, and none is larger than `CELL`.
    """
    if not pictures:
        raise ValueError("a grid needs at least one picture")
    if len({picture.shape for picture in pictures}) > 1:
        pictures = [_shrunk(picture) for picture in pictures]
    columns = columns or int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def opened(source: Source) -> GeneratorSession:
    """The session of an entry, or the session itself."""
    return source if isinstance(source, GeneratorSession) else GeneratorSession(source)


def to_pixels(images: NDArray[np.float32]) -> list[Pixels]:
    """(B, C, H, W) in [-1, 1] -> B pictures RGB uint8 (H, W, 3); grey ones get three equal channels."""
    levels = np.rint(images * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    return list(np.repeat(levels, 3, axis=3) if levels.shape[3] == 1 else levels)


def _shrunk(picture: Pixels) -> Pixels:
    scale = min(1.0, CELL / max(picture.shape[:2]))
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _run(session: GeneratorSession, feeds: Sequence[Feeds]) -> list[Pixels]:
    missing = set(session.inputs) - set(feeds[0])
    if missing:
        raise ModelError(
            f"Model {session.entry.label} also takes {', '.join(sorted(missing))}.",
            "Give it a picture or a condition, or name a generator whose task is noise.",
        )
    return to_pixels(session.run(**{name: np.stack([one[name] for one in feeds]) for name in session.inputs}))


def _batch(session: GeneratorSession) -> int:
    shape = next(iter(session.outputs.values())).shape
    sides = [side if isinstance(side, int) else 256 for side in shape[2:]]
    return min(LARGEST_BATCH, session.batch_of(*sides))


def _latent(rng: np.random.Generator, slot: Slot, truncation: float | None) -> Array:
    if slot.law == "uniform":
        return rng.uniform(-1, 1, slot.lengths).astype(np.float32)
    values = rng.standard_normal(slot.lengths)
    while truncation is not None and (beyond := np.abs(values) > truncation).any():
        values[beyond] = rng.standard_normal(int(beyond.sum()))
    return values.astype(np.float32)
