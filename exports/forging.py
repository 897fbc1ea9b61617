"""Labelled forgeries of a folder of reals by every exported generator, to train or to test a detector.

A generator that takes a picture gives each real an aligned twin: same size, same JPEG tables, and a mask
where only a part was made. One that draws from nothing gives as many samples as there are reals, each
brought to the size and the delivery of one of them. Every file is a function of (seed, real, generator), so
an interrupted forge goes on where it stopped. Its manifest is what `touchstone lint` and `evaluate` read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from detector.readers import SUFFIXES
from evidence.errors import DataError, MediaError, UsageError
from evidence.limits import DecodeLimits
from evidence.medium import Pixels
from evidence.source import read_media
from exports.chance import ANYTHING, Wish, drawn_conditions, drawn_hole
from exports.editing import Box, Edited, edit
from exports.manifest import Folder, Row
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.sampling import drawn, drawn_inputs
from exports.slots import slot_of, slots_of
from generators.delivery import Delivery, deliver, png

# Told of each forgery by its row; its pixels if it was made now, None if an earlier run left it.
OnFile = Callable[[Row, Pixels | None], None]
OnFailed = Callable[[Path, MediaError], None]
FindFace = Callable[[Pixels], Box | None]


@dataclass(frozen=True)
class Real:
    """A real picture: its name in the forged folder, and where it lies."""

    stem: str
    path: Path

    @property
    def split(self) -> str:
        """One in eight is for tests and one for calibration, whatever else is in the folder."""
        eighth = int(hashlib.sha256(self.stem.encode()).hexdigest(), 16) % 8
        return {0: "test", 1: "cal"}.get(eighth, "train")


class Mark(Protocol):
    """Marks the files of one generator, before that their pixels; `row` is what the manifest says of it."""

    def row(self, width: int, height: int) -> dict[str, list[str]]: ...

    def touch(self, pixels: Pixels) -> Pixels: ...

    def __call__(self, content: bytes, name: str, parent: Path | None) -> bytes: ...


Marks = Callable[[ModelEntry], Mark]


def reals_in(folder: Path, count: int | None = None) -> list[Real]:
    """The pictures under `folder` in order of their path, `count` of them at most, spread evenly."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"{folder} holds no pictures.", f"Pictures end in {', '.join(sorted(SUFFIXES))}.")
    step = max(1.0, len(paths) / count) if count else 1.0
    chosen = [paths[int(number * step)] for number in range(min(count or len(paths), len(paths)))]
    names = [path.relative_to(folder).with_suffix("").as_posix().replace("/", "_") for path in chosen]
    twice = {name for name in names if names.count(name) > 1}
    return [
        Real(f"{name}_{path.suffix[1:]}" if name in twice else name, path)
        for name, path in zip(names, chosen, strict=True)
    ]


def rng_at(seed: int, stem: str, role: str) -> np.random.Generator:
    """Numbers that a seed, a picture's name and what they are for decide."""
    digest = hashlib.sha256(f"{seed}:{stem}:{role}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def forge(
    reals: Sequence[Real],
    entries: Sequence[ModelEntry],
    out: Path,
    *,
    seed: int = 0,
    find_face: FindFace | None = None,
    marks: Marks | None = None,
    on_file: OnFile | None = None,
    on_failed: OnFailed | None = None,
    threads: int | None = None,
    limits: DecodeLimits | None = None,
) -> int:
    """Write the reals and what every generator makes of them; returns how many forgeries are there.

    A real that cannot be decoded is handed to `on_failed` and left out. `find_face` says where a face system
    looks, by default at the central square. `marks` gives each generator what marks its files; without it
    none is marked.
    """
    made = 0
    with Folder(out) as folder:
        _require_seed(folder, seed)
        usable = [real for real in reals if _keep_real(folder, real, seed, limits, on_failed)]
        if not usable:
            raise DataError("None of the pictures can be decoded.", "Check the folder of reals.")
        for entry in entries:
            mark = None if marks is None else marks(entry)
            work = Forger(GeneratorSession(entry, threads=threads), seed, find_face)
            for real in usable:
                name = f"fake/{entry.name}/{real.stem}"
                row, pixels = _there(folder, name, entry.sha256), None
                if row is None:
                    row, pixels = _write_fake(folder, work, real, name, mark, limits)
                made += 1
                if on_file is not None:
                    on_file(row, pixels)
    return made


class Forger:
    """A generator and what it makes of a real, with conditions and holes drawn from (seed, name)."""

    def __init__(
        self,
        session: GeneratorSession,
        seed: int,
        find_face: FindFace | None = None,
        wish: Wish = ANYTHING,
    ) -> None:
        self.session, self.seed, self.find_face, self.wish = session, seed, find_face, wish
        self.slots = slots_of(session)
        self.image = slot_of(self.slots, "image")

    def __call__(self, stem: str, pixels: Pixels) -> tuple[Edited, Row]:
        """The forgery of the real of that name, in its size, and what the generator was asked for."""
        rng = rng_at(self.seed, stem, self.session.entry.name)
        words, feeds = drawn_conditions(rng, self.slots, self.wish)
        if self.image is None:
            number = int(rng.integers(2**31))
            (sample,) = drawn(self.session, iter([drawn_inputs(self.slots, self.seed, number) | feeds]))
            return Edited(_covering(sample, *pixels.shape[:2])), {"index": number, **words}
        mask, box = drawn_hole(rng, self.slots, self.session.entry.task, pixels, self.wish), None
        if mask is None and not self.image.free and self.find_face is not None:
            box = self.find_face(pixels)
        return edit(self.session, pixels, feeds, seed=self.seed, mask=mask, box=box), words


def _require_seed(folder: Folder, seed: int) -> None:
    """Raise UsageError where another seed has forged: what is there would be taken for this seed's."""
    others = {row["seed"] for row in folder.rows.values() if "seed" in row} - {seed}
    if others:
        raise UsageError(
            f"{folder.path} holds forgeries of seed {min(others)}; this is seed {seed}.",
            f"Name another --out, or go on with --seed {min(others)}.",
        )


def _keep_real(
    folder: Folder, real: Real, seed: int, limits: DecodeLimits | None, on_failed: OnFailed | None
) -> bool:
    try:
        delivery = _delivered(real, seed, limits)
    except MediaError as error:
        if on_failed is None:
            raise
        on_failed(real.path, error)
        return False
    row = {"label": "real", **_common(real, delivery, seed), "as_published": delivery.as_published}
    folder.add(f"real/{real.stem}", f".{delivery.extension}", delivery.data, row)
    return True


def _write_fake(
    folder: Folder, work: Forger, real: Real, name: str, mark: Mark | None, limits: DecodeLimits | None
) -> tuple[Row, Pixels]:
    delivery = _delivered(real, work.seed, limits)
    edited, words = work(real.stem, delivery.pixels)
    entry = work.session.entry
    origin = {
        "label": "fake",
        "generator": entry.name,
        "family": entry.tags.get("family") or entry.tags.get("system", entry.name),
        "upsampler": entry.tags.get("upsampler", ""),
        "version": entry.version,
        "model_sha256": entry.sha256,
        **_common(real, delivery, work.seed),
        "twin_of": f"real/{real.stem}.{delivery.extension}" if work.image else None,
        "parents": [hashlib.sha256(delivery.data).hexdigest()] if work.image else [],
        **words,
    }
    made = None if edited.made is None else png(edited.made.astype(np.uint8) * 255)
    height, width = edited.pixels.shape[:2]
    origin |= {"marks": []} if mark is None else mark.row(width, height)
    pixels = edited.pixels if mark is None else mark.touch(edited.pixels)
    finish = None if mark is None else partial(mark, parent=real.path if work.image else None)
    content = delivery.encode(pixels)
    path = folder.add(name, f".{delivery.extension}", content, origin, mask=made, finish=finish)
    return folder.rows[path], pixels


def _common(real: Real, delivery: Delivery, seed: int) -> Row:
    """What a real and its forgeries share."""
    return {
        "key": real.stem,
        "group": real.stem,
        "split": real.split,
        "source": real.path.parent.name,
        "width": delivery.pixels.shape[1],
        "height": delivery.pixels.shape[0],
        "quality": None if delivery.history is None else delivery.history.quality,
        "seed": seed,
    }


def _delivered(real: Real, seed: int, limits: DecodeLimits | None) -> Delivery:
    published = read_media(real.path, limits or DecodeLimits())
    return deliver(published, None, rng_at(seed, real.stem, "crop"), limits)


def _there(folder: Folder, name: str, model: str) -> Row | None:
    """The row of this one if an earlier run of the same model has already made it."""
    rows = (folder.rows.get(f"{name}.{extension}", {}) for extension in ("jpg", "png"))
    made = (row for row in rows if row.get("model_sha256") == model)
    return next((row for row in made if (folder.path / row["path"]).is_file()), None)


def _covering(sample: Pixels, height: int, width: int) -> Pixels:
    """A sample enlarged until it covers the size of a real, and cut to it in the middle."""
    scale = max(height / sample.shape[0], width / sample.shape[1])
    size = (max(width, round(sample.shape[1] * scale)), max(height, round(sample.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    large = cv2.resize(sample, size, interpolation=how)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return np.ascontiguousarray(large[top : top + height, left : left + width])
