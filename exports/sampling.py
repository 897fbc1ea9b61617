"""Pictures from exported generators, without torch: drawn from noise, or rebuilt from a picture.

Where a session is opened for every call, give the entry; who draws often opens a `GeneratorSession`
once and gives that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evidence.errors import ModelError
from evidence.medium import Pixels
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from generators.settle import settle

STEP = 16  # the largest factor of an image-to-image generator: sides are padded to its multiples
SMALLEST = 64
CORE = 768  # large pictures are rebuilt in squares of this side ...
HALO = 96  # ... each shown with this much of its surroundings, more than a generator looks at

Source = ModelEntry | GeneratorSession


def sample(source: Source, count: int, seed: int) -> list[Pixels]:
    """`count` pictures RGB uint8 (H, W, 3) of a generator of noise; picture n depends on (seed, n) alone.

    Raises `ModelError` when the generator needs a picture or anything else than latents.
    """
    session = _opened(source)
    pictures: list[Pixels] = []
    while len(pictures) < count:
        chosen = range(len(pictures), min(len(pictures) + _batch(session), count))
        pictures += _pictures(session.run(**_latents(session, seed, chosen)))
    return pictures


def reconstruct(source: Source, pixels: Pixels, *, settled: bool = True) -> Pixels:
    """The picture (H, W, 3) as an image-to-image generator rebuilds it, at its own size.

    `settled` puts the picture's own colours, tones and flat areas back, so that the generator's traces
    alone tell the two apart (`generators/settle.py`). Raises `ModelError` for a generator of noise.
    """
    session = _opened(source)
    name, shape = next((item.name, item.shape) for item in session.inputs.values())
    if len(session.inputs) != 1 or len(shape) != 4 or not all(isinstance(side, str) for side in shape[2:]):
        raise ModelError(
            f"Model {session.entry.label} takes {sorted(session.inputs)}, not a picture of any size.",
            "Name a generator whose task is reconstruction; `touchstone models` lists them.",
        )
    height, width = pixels.shape[:2]
    tall, wide = (max(SMALLEST, -(-side // STEP) * STEP) for side in (height, width))
    padded = np.pad(pixels, ((0, tall - height), (0, wide - width), (0, 0)), mode="reflect")
    rebuilt = np.empty_like(padded)
    for rows, seen_rows in _stretches(tall):
        for columns, seen_columns in _stretches(wide):
            seen = padded[seen_rows, seen_columns].astype(np.float32) / np.float32(127.5) - np.float32(1)
            answer = _pictures(session.run(**{name: np.ascontiguousarray(seen.transpose(2, 0, 1)[None])}))[0]
            rebuilt[rows, columns] = answer[_inside(rows, seen_rows), _inside(columns, seen_columns)]
    twin: Pixels = rebuilt[:height, :width]
    return settle(twin, pixels) if settled else twin


def grid(pictures: Sequence[Pixels], columns: int | None = None) -> Pixels:
    """Pictures of one size as one sheet, in reading order, about square; empty places are white."""
    if not pictures:
        raise ValueError("a grid needs at least one picture")
    columns = columns or int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    height, width, _ = pictures[0].shape
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + height, left : left + width] = picture
    return sheet


def _opened(source: Source) -> GeneratorSession:
    return source if isinstance(source, GeneratorSession) else GeneratorSession(source)


def _batch(session: GeneratorSession) -> int:
    shape = next(iter(session.outputs.values())).shape
    sides = [side if isinstance(side, int) else 256 for side in shape[2:]]
    return min(64, session.batch_of(*sides))


def _latents(session: GeneratorSession, seed: int, chosen: Sequence[int]) -> dict[str, NDArray[Any]]:
    """The graph's inputs for the pictures of these numbers, each from its own generator of randomness."""
    laws = {item["name"]: item.get("law", "normal") for item in session.entry.inputs}
    feeds: dict[str, list[NDArray[np.float32]]] = {name: [] for name in session.inputs}
    for number in chosen:
        rng = np.random.default_rng((seed, number))
        for name, item in session.inputs.items():
            shape = item.shape[1:]
            if item.type != "tensor(float)" or not all(isinstance(side, int) for side in shape):
                raise ModelError(
                    f"Model {session.entry.label} takes `{name}`, {item.type} {item.shape}: no latent.",
                    "Give it a picture, or name a generator whose task is noise.",
                )
            law = rng.uniform(-1, 1, shape) if laws.get(name) == "uniform" else rng.standard_normal(shape)
            feeds[name].append(law.astype(np.float32))
    return {name: np.stack(values) for name, values in feeds.items()}


def _pictures(images: NDArray[np.float32]) -> list[Pixels]:
    """(B, C, H, W) in [-1, 1] -> B pictures RGB uint8 (H, W, 3); grey ones get three equal channels."""
    levels = np.rint(images * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
    return list(np.repeat(levels, 3, axis=3) if levels.shape[3] == 1 else levels)


def _stretches(length: int) -> Iterator[tuple[slice, slice]]:
    """Along one side: what is kept of each part, and what the generator is shown of it."""
    for start in range(0, length, CORE):
        end = min(start + CORE, length)
        yield slice(start, end), slice(max(0, start - HALO), min(length, end + HALO))


def _inside(kept: slice, seen: slice) -> slice:
    return slice(kept.start - seen.start, kept.stop - seen.start)
