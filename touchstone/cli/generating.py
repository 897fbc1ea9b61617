"""What `touchstone generate` does: reads the pictures it is given, and writes what is made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from evidence.errors import MediaError, UsageError
from evidence.files import write_whole
from evidence.image import decode_image
from evidence.limits import DecodeLimits
from evidence.medium import Pixels
from exports.making import MOST_IN_GRID, Order, Original, face_square, make, order_of, sheet, sheet_name
from exports.manifest import MANIFEST, Folder, beside_pictures
from exports.runtime import GeneratorSession
from exports.wishes import Asked
from touchstone.cli.guard import NOTHING_DONE, Interrupted, patient_interrupts
from touchstone.cli.inputs import Input, expand
from touchstone.cli.recording import recording
from touchstone.cli.skipped import Skipped
from worker.marking import Marking
from worker.remembering import known_made
from worker.scanner import installed_models
from worker.settings import Settings, load_settings


def run(system: str, asked: Asked, out: Path, *, unmarked: bool = False) -> int:
    """Make what was asked into `out`; the exit code. `asked.input` are files, folders and patterns.

    `unmarked` leaves out the marks that tell the files from what a camera took.
    """
    settings = load_settings()
    inputs, skipped = _pictures(asked.input), Skipped()
    order = _order(system, asked, inputs, settings)
    marking = Marking(settings, order.session.entry, unmarked=unmarked)
    order = replace(order, touch=marking.touch)
    done, files, parts = 0, order.files(len(inputs)), order.parts(len(inputs))
    pictures: list[Pixels] = []
    kept = [*(Path(item.path) for item in inputs), *map(Path, asked.mask)]
    with (
        patient_interrupts(),
        Folder(out, kept) as folder,
        recording(settings) as record,
        Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("files", total=files)
        within = progress.add_task("frames" if asked.film else "strips", total=parts, visible=parts > 0)
        originals, read_mask = _read(inputs, skipped, settings.limits), partial(_read_mask, settings.limits)
        try:
            for made in make(order, originals, read_mask, on_part=lambda: progress.advance(within)):
                parent = made.origin.get("twin_of")
                origin = made.origin | marking.row(made.origin["width"], made.origin["height"])
                finish = partial(marking, parent=Path(parent) if parent else None)
                name = folder.add(made.stem, made.suffix, made.content, origin, mask=made.mask, finish=finish)
                print(out / name)
                row = folder.rows[name]
                record.made(row, partial(known_made, made, name, row["sha256"]))
                pictures += made.shown if asked.grid and len(pictures) < MOST_IN_GRID else ()
                done += 1
                progress.update(task, completed=done)
            if pictures:
                name = sheet_name(order)
                write_whole(out / name, marking(sheet(order, pictures), name, None))
        except KeyboardInterrupt:
            raise Interrupted(f"{done} of {files} files are in {out}.") from None
    return NOTHING_DONE if not done else skipped.exit_code


def _order(system: str, asked: Asked, inputs: list[Input], settings: Settings) -> Order:
    """The system, once it is sure that it takes what is asked; raises UsageError."""
    entry = installed_models(settings).get(system)
    if entry.kind != "generator":
        raise UsageError(f"{entry.label} is a {entry.kind}.", "`touchstone models` lists the generators.")
    if asked.input and not inputs:
        said = ", ".join(asked.input)
        raise UsageError(f"There is no file in {said}.", "Name pictures, or a folder that holds some.")
    named = replace(asked, input=tuple(item.path for item in inputs))
    session = GeneratorSession(entry, threads=settings.threads)
    find_face, most = face_square(settings.faces), settings.max_pixels
    return order_of(session, named, _option, find_face=find_face, max_pixels=most)


def _pictures(named: tuple[str, ...]) -> list[Input]:
    """The files of the inputs; of a folder that was generated, neither manifest nor masks and sheets."""
    found = expand(named)
    manifests = [Path(item.path) for item in found if Path(item.path).name == MANIFEST]
    others = {str(path) for manifest in manifests for path in beside_pictures(manifest)} - {*named}
    return [item for item in found if str(Path(item.path)) not in others]


def _read(inputs: list[Input], skipped: Skipped, limits: DecodeLimits) -> Iterator[Original]:
    """Each input with its number; what cannot be read is named and left out."""
    for number, item in enumerate(inputs):
        try:
            if item.problem is not None:
                raise item.problem
            info, pixels = decode_image(item.path, limits)
        except MediaError as error:
            skipped.add(item.path, error)
            continue
        yield number, info, pixels


def _read_mask(limits: DecodeLimits, path: str) -> Pixels:
    try:
        return decode_image(path, limits)[1]
    except MediaError as error:
        raise UsageError(f"The mask {path} cannot be read. {error.message}", error.advice) from None


def _option(name: str) -> str:
    return {"classes": "--class"}.get(name, f"--{name}")
