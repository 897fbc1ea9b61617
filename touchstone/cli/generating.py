"""What `touchstone generate` does: samples, changed pictures and films, each written with its origin."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from evidence.errors import MediaError, UsageError
from touchstone.cli.guard import NOTHING_DONE, Interrupted, patient_interrupts
from touchstone.cli.inputs import expand
from touchstone.cli.skipped import Skipped
from touchstone.cli.wishes import Asked, Condition, box_of, conditions_of, refuse_foreign

if TYPE_CHECKING:
    from evidence.medium import MediaInfo, Pixels
    from exports.editing import Box, Edited, Mask
    from exports.forging import FindFace
    from exports.runtime import GeneratorSession
    from exports.slots import Slot
    from touchstone.cli.inputs import Input
    from worker.settings import Settings

SAMPLES, STATIONS, STRIP = 16, 6, 32
MOST_IN_GRID = 64
FACE_SHARE = 1.25  # LFW teaches faces in squares of 1.21, CelebA of 1.26 times the height that YuNet finds


@dataclass(frozen=True)
class _Made:
    """A file to be written: its name, what it came from, and its pixels if it is a picture."""

    stem: str
    suffix: str
    content: bytes
    origin: dict[str, Any]
    shown: tuple[Pixels, ...] = ()
    mask: bytes | None = None


@dataclass(frozen=True)
class _Job:
    """One system and what is asked of it."""

    session: GeneratorSession
    slots: dict[str, Slot]
    asked: Asked
    conditions: Sequence[Condition]
    inputs: Sequence[Input]
    find_face: FindFace | None
    skipped: Skipped = field(default_factory=Skipped)

    @property
    def seed(self) -> int:
        return self.asked.seed or 0

    @property
    def count(self) -> int:
        """Samples to draw, or stations of a film."""
        return self.asked.count or (STATIONS if self.asked.film else SAMPLES)

    @property
    def files(self) -> int:
        """How many files this will be."""
        each = 1 if self.asked.film else len(self.conditions)
        return len(self.inputs) * each if self.inputs else 1 if self.asked.film else self.count

    @property
    def origin(self) -> dict[str, Any]:
        """What every file of this job has in common."""
        entry = self.session.entry
        who = {"generator": entry.name, "version": entry.version, "model_sha256": entry.sha256}
        drawn = any(slot.role == "latent" for slot in self.slots.values())
        return {"label": "fake", **who, **({"seed": self.seed} if drawn else {})}


def run(system: str, asked: Asked, out: Path) -> int:
    """Make what was asked into `out`; the exit code."""
    from exports.manifest import Folder

    job = _job(system, asked)
    sources = [Path(item.path) for item in job.inputs]
    done = 0
    sheet: list[Pixels] = []
    with (
        patient_interrupts(),
        Folder(out, [*sources, *asked.mask]) as folder,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("files", total=job.files)
        try:
            for made in _films(job) if asked.film else _edits(job) if job.inputs else _samples(job):
                name = folder.add(made.stem, made.suffix, made.content, made.origin, mask=made.mask)
                print(out / name)
                sheet += made.shown if asked.grid and len(sheet) < MOST_IN_GRID else ()
                done += 1
                progress.update(task, completed=done)
            if sheet:
                _write_sheet(job, sheet, out)
        except KeyboardInterrupt:
            raise Interrupted(f"{done} of {job.files} files are in {out}.") from None
    return NOTHING_DONE if not done else job.skipped.exit_code


def _job(system: str, asked: Asked) -> _Job:
    """The system, once it is sure that it takes what is asked; raises UsageError."""
    from exports.runtime import GeneratorSession
    from exports.slots import slots_of
    from worker.scanner import installed_models
    from worker.settings import load_settings

    settings = load_settings()
    entry = installed_models(settings).get(system)
    if entry.kind != "generator":
        raise UsageError(f"{entry.label} is a {entry.kind}.", "`touchstone models` lists the generators.")
    session = GeneratorSession(entry, threads=settings.threads)
    slots = slots_of(session)
    refuse_foreign(entry, slots, asked)
    inputs = expand(asked.input)
    if asked.input and not inputs:
        said = ", ".join(asked.input)
        raise UsageError(f"There is no file in {said}.", "Name pictures, or a folder that holds some.")
    if len(asked.mask) not in (0, 1, len(inputs)):
        raise UsageError(
            f"There are {len(asked.mask)} masks for {len(inputs)} inputs.", "Give one for all, or one each."
        )
    find_face = face_square(settings) if entry.task in ("animation", "rotation") else None
    return _Job(session, slots, asked, conditions_of(slots, asked), inputs, find_face)


def face_square(settings: Settings) -> FindFace | None:
    """A function that finds the square around the surest face of a picture, if a face model is installed."""
    from evidence.faces import FaceFinder, find_face_model

    model = settings.face_model or find_face_model(settings.data_dir)
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


def _samples(job: _Job) -> Iterator[_Made]:
    """Pictures from latents and conditions."""
    from exports.sampling import drawn, feeds_of
    from generators.delivery import png

    given = [condition.feeds for condition in job.conditions]
    feeds = feeds_of(job.session, job.count, job.seed, given, truncation=job.asked.truncation)
    for index, pixels in enumerate(drawn(job.session, feeds)):
        condition = job.conditions[index % len(job.conditions)].words
        origin = job.origin | {"index": index, **_truncated(job), **condition} | _size(pixels)
        stem = f"{job.session.entry.name}-{job.seed}-{index:05d}"
        yield _Made(stem, ".png", png(pixels), origin, (pixels,))


def _edits(job: _Job) -> Iterator[_Made]:
    """Each real picture under each condition, delivered as it came."""
    from evidence.jpeg import encode_like
    from generators.delivery import png

    for number, info, pixels in _read(job):
        for condition in job.conditions:
            edited = _edit(job, pixels, condition, _mask(job, number, pixels))
            data = png(edited.pixels) if info.jpeg is None else encode_like(edited.pixels, info.jpeg)
            where: dict[str, Any] = {"box": list(edited.box)} if edited.box else {}
            if job.asked.side:
                where |= {"side": list(job.asked.side), "extend": job.asked.extend or STRIP}
            origin = job.origin | _parent(info) | where | dict(condition.words) | _size(edited.pixels)
            mask = None if edited.made is None else png(edited.made.astype(np.uint8) * 255)
            stem = f"{Path(info.path).stem}-{job.session.entry.name}"
            suffix = ".png" if info.jpeg is None else ".jpg"
            shown = (pixels, edited.pixels) if pixels.shape == edited.pixels.shape else (edited.pixels,)
            yield _Made(stem, suffix, data, origin, shown, mask)


def _edit(job: _Job, pixels: Pixels, condition: Condition, mask: Mask | None) -> Edited:
    from exports.editing import edit, extend

    if job.asked.side:
        by = job.asked.extend or STRIP
        return extend(job.session, pixels, dict.fromkeys(job.asked.side, by), seed=job.seed)
    box = None if mask is not None else _square(job, pixels)
    return edit(job.session, pixels, condition.feeds, seed=job.seed, mask=mask, box=box)


def _films(job: _Job) -> Iterator[_Made]:
    """One film from seed to seed, or one for each real picture."""
    from exports.films import expression_sweep, interpolation, rotation_sweep

    def made(stem: str, frames: Iterator[Pixels], origin: dict[str, Any]) -> _Made:
        suffix = ".gif" if job.asked.gif else ".mp4"
        return _Made(f"{stem}-{job.asked.film}", suffix, _film(frames, suffix), job.origin | origin)

    name, words = job.session.entry.name, [dict(condition.words) for condition in job.conditions]
    if not job.inputs:
        given = [condition.feeds for condition in job.conditions]
        frames = interpolation(job.session, job.count, job.seed, given, truncation=job.asked.truncation)
        origin = {"film": job.asked.film, "stations": job.count, "conditions": words, **_truncated(job)}
        yield made(f"{name}-{job.seed}", frames, origin)
    for _, info, pixels in _read(job):
        box = _square(job, pixels)
        if job.asked.film == "rotation":
            frames = rotation_sweep(job.session, pixels, seed=job.seed, box=box)
        else:
            targets = [value for one in job.conditions for value in one.feeds.values()]
            frames = expression_sweep(job.session, pixels, targets, seed=job.seed, box=box)
        origin = {"film": job.asked.film, "conditions": words, **_parent(info)}
        yield made(f"{Path(info.path).stem}-{name}", frames, origin)


def _read(job: _Job) -> Iterator[tuple[int, MediaInfo, Pixels]]:
    """Each input with its number; what cannot be read is named and left out."""
    from evidence.image import decode_image

    for number, item in enumerate(job.inputs):
        try:
            if item.problem is not None:
                raise item.problem
            info, pixels = decode_image(item.path)
        except MediaError as error:
            job.skipped.add(item.path, error)
            continue
        yield number, info, pixels


def _mask(job: _Job, number: int, pixels: Pixels) -> Mask | None:
    """Where input `number` is to be made anew, for a system that fills holes."""
    from evidence.image import decode_image

    if not any(slot.role == "mask" for slot in job.slots.values()) or job.asked.side:
        return None
    if not job.asked.mask:
        left, top, width, height = box_of(str(job.asked.box), pixels)
        marked = np.zeros(pixels.shape[:2], bool)
        marked[top : top + height, left : left + width] = True
        return marked
    path = job.asked.mask[number % len(job.asked.mask)]
    try:
        _, drawn = decode_image(path)
    except MediaError as error:
        raise UsageError(f"The mask {path} cannot be read. {error.message}", error.advice) from None
    if drawn.shape != pixels.shape:
        tall, wide = pixels.shape[:2]
        raise UsageError(
            f"The mask {path} has {drawn.shape[1]} x {drawn.shape[0]} pixels, its picture {wide} x {tall}.",
            "Draw it in the size of the picture: white where pixels are to be made, black where not.",
        )
    return np.asarray(drawn.max(axis=2) > 127)


def _square(job: _Job, pixels: Pixels) -> Box | None:
    """Where a face system looks: the box that was named, around the surest face, or None for the centre."""
    if job.asked.box is not None:
        return box_of(job.asked.box, pixels)
    return None if job.find_face is None else job.find_face(pixels)


def _write_sheet(job: _Job, pictures: Sequence[Pixels], out: Path) -> None:
    """One sheet, a line for each round of the conditions; only where all pictures have one size."""
    from exports.files import write_whole
    from exports.sampling import grid
    from generators.delivery import png

    if len({picture.shape for picture in pictures}) > 1:
        raise UsageError("The pictures have several sizes, so they make no sheet.", "Leave --grid out.")
    columns = len(job.conditions) * (2 if job.inputs else 1)
    sheet = grid(pictures, columns if columns > 1 else None)
    write_whole(out / f"{job.session.entry.name}-{job.seed}-grid.png", png(sheet))


def _film(frames: Iterator[Pixels], suffix: str) -> bytes:
    from evidence.video_writer import write_gif, write_video
    from exports.films import FRAMES_PER_SECOND

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"film{suffix}"
        if suffix == ".gif":
            write_gif(path, frames, FRAMES_PER_SECOND)
        else:
            write_video(path, frames, FRAMES_PER_SECOND)
        return path.read_bytes()


def _parent(info: MediaInfo) -> dict[str, Any]:
    return {"twin_of": info.path, "parents": [info.sha256]}


def _truncated(job: _Job) -> dict[str, float]:
    return {} if job.asked.truncation is None else {"truncation": job.asked.truncation}


def _size(pixels: Pixels) -> dict[str, int]:
    return {"width": pixels.shape[1], "height": pixels.shape[0]}
