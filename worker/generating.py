"""What a worker does for a job of kind "generate": what `touchstone generate` makes, each with its origin.

Pictures that somebody handed in are decoded in a child process, as those of a scan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from evidence.errors import MediaError, UnsupportedMedia, UsageError
from evidence.files import write_whole
from evidence.medium import MediaInfo, Pixels
from evidence.sandbox import DecoderPool
from evidence.thumbnails import preview_jpg, shrunk
from exports.making import MOST_IN_GRID, Order, Original, face_square, make, order_of, sheet, sheet_name
from exports.manifest import MANIFEST, Folder
from exports.registry import ModelEntry
from exports.runtime import GeneratorSession
from exports.slots import slots_in
from exports.wishes import Asked, Condition, conditions_of, refuse_foreign, takes
from provenance.transparency.entries import generated
from worker.marking import Marking
from worker.media import MediaStore
from worker.remembering import Known, known_made
from worker.requests import GenerateRequest
from worker.scanner import installed_models
from worker.settings import Settings

MIMES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".mp4": "video/mp4", ".gif": "image/gif",
    ".jsonl": "application/x-ndjson",
}  # fmt: skip
MASKS, BEFORE = "mask-", "before-"

_MANY = ("classes", "caption", "side", "expression")
_ONE = ("truncation", "box", "extend", "units", "yaw", "film", "grid", "gif")
_PICTURES = ("input", "mask")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_STEM = 48
BEFORE_PX = 1024

# Told how many of how many are there; what it raises ends the work.
OnPicture = Callable[[int, int], None]


def generate(
    job: str,
    request: GenerateRequest,
    settings: Settings,
    media: MediaStore,
    on_picture: OnPicture,
    on_made: Callable[[Known], object] = lambda known: None,
) -> dict[str, Any]:
    """Make what was asked among the artefacts of `job`: {"files": [{"name", "mime", "size_bytes", "role"}]}.

    Of a changed picture, `before` names a preview of what it was. `made` is for the transparency log, and
    `on_made` is given each file for the registry.

    Raises UsageError for what the generator cannot be asked, ModelError when it cannot be used, MediaError
    when a picture cannot be read.
    """
    entry = generator(settings, request.model)
    session = GeneratorSession(entry, threads=settings.threads)
    find_face, most = face_square(settings.faces), settings.max_pixels
    order = order_of(session, asked_of(entry, request), find_face=find_face, max_pixels=most)
    pictures = _pictures(request)
    marking = Marking(settings, entry, unmarked=request.unmarked)
    order = replace(order, touch=marking.touch)
    told = _Told(order, len(order.asked.input), on_picture)
    shown: list[Pixels] = []
    files: list[dict[str, Any]] = []
    with (
        DecoderPool(settings.limits, workers=1, inline=not pictures) as pool,
        Folder(media.artefact(job, MANIFEST).parent, masks=MASKS) as folder,
    ):
        decode = _Decoding(pool, media, pictures, lambda name: media.artefact(job, f"{BEFORE}{name}.jpg"))
        for made in make(order, decode.originals(order.asked.input), decode.pixels, on_part=told.part):
            twin = made.origin.get("twin_of")
            origin = made.origin | marking.row(made.origin["width"], made.origin["height"])
            parent = media.place(pictures[twin]) if twin else None
            finish = partial(marking, parent=parent, parent_title=twin or "")
            name = folder.add(made.stem, made.suffix, made.content, origin, mask=made.mask, finish=finish)
            files.append(_file(media, job, name, "made", f"{BEFORE}{twin}.jpg" if twin else ""))
            files += [_file(media, job, folder.rows[name]["mask"], "mask")] if made.mask else ()
            shown += made.shown if order.asked.grid and len(shown) < MOST_IN_GRID else ()
            told.file()
            if settings.registry:
                on_made(known_made(made, name, folder.rows[name]["sha256"]))
    if shown:
        name = sheet_name(order)
        write_whole(media.artefact(job, name), marking(sheet(order, shown), name, None))
        files.append(_file(media, job, name, "sheet"))
    files += [_file(media, job, f"{BEFORE}{name}.jpg", "before") for name in order.asked.input]
    entries = [generated(folder.rows[one["name"]]) for one in files if one["role"] == "made"]
    return {"files": [*files, _file(media, job, MANIFEST, "manifest")], "made": entries}


def generator(settings: Settings, name: str) -> ModelEntry:
    """The generator of this name; raises UsageError, ModelNotFound."""
    entry = installed_models(settings).get(name)
    if entry.kind != "generator":
        raise UsageError(f"{entry.label} is a {entry.kind}.", "GET /v1/models lists the generators.")
    return entry


def asked_of(entry: ModelEntry, request: GenerateRequest) -> Asked:
    """The wishes of a request, which names no `count` and `seed` where the system takes none.

    Raises UsageError for a condition that no system takes.
    """
    given = dict(request.conditions)
    if foreign := sorted(set(given) - {*_MANY, *_ONE, *_PICTURES}):
        raise UsageError(f"No generator takes {', '.join(foreign)}.", "GET /v1/models says what each takes.")
    slots = slots_in(entry)
    taken = takes(entry, slots) if slots else ("count", "seed")
    wishes: dict[str, Any] = {name: given[name] for name in _ONE if name in given}
    wishes |= {name: tuple(given[name]) for name in _MANY if name in given}
    wishes |= {name: tuple(one["name"] for one in _numbered(given, name)) for name in _PICTURES}
    count = request.count if "count" in taken else None
    return Asked(count=count, seed=request.seed if "seed" in taken else None, **wishes)


def refuse(entry: ModelEntry, asked: Asked) -> list[Condition]:
    """What is asked for, one condition each; raises UsageError for what no file need be opened to refuse."""
    slots = slots_in(entry)
    if not slots:  # a file that nobody published says for itself what it takes, when it is opened
        return []
    refuse_foreign(entry, slots, asked)
    return conditions_of(slots, asked)


@dataclass(frozen=True)
class _Decoding:
    """The pictures of a job by the names it knows them under."""

    pool: DecoderPool
    media: MediaStore
    pictures: Mapping[str, str]
    before: Callable[[str], Path]

    def originals(self, names: tuple[str, ...]) -> Iterator[Original]:
        for number, name in enumerate(names):
            info, pixels = self._decode(name)
            write_whole(self.before(name), preview_jpg(shrunk(pixels, BEFORE_PX)))
            yield number, replace(info, path=name), pixels

    def pixels(self, name: str) -> Pixels:
        return self._decode(name)[1]

    def _decode(self, name: str) -> tuple[MediaInfo, Pixels]:
        path = str(self.media.place(self.pictures[name]))
        try:
            with closing(self.pool.open(path)) as medium:
                if medium.info.kind == "video":
                    raise UnsupportedMedia(f"{path} is a video.", "Hand in a picture.")
                return medium.info, next(iter(medium.frames())).pixels
        except MediaError as error:
            raise type(error)(error.message.replace(path, name), error.advice) from None


@dataclass
class _Told:
    """Counts what is there: frames of films, strips of continued pictures, else files."""

    order: Order
    inputs: int
    on_picture: OnPicture
    done: int = field(default=0)

    def part(self) -> None:
        self.done += 1
        self.on_picture(self.done, self.order.parts(self.inputs))

    def file(self) -> None:
        if not self.order.parts(self.inputs):
            self.done += 1
            self.on_picture(self.done, self.order.files(self.inputs))


def _pictures(request: GenerateRequest) -> dict[str, str]:
    """The sha256 of each picture by the name it has here."""
    return {one["name"]: one["sha256"] for name in _PICTURES for one in _numbered(request.conditions, name)}


def _numbered(given: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """The pictures that were handed in, under names that are fit for a file and come once."""
    found: list[dict[str, str]] = []
    for number, one in enumerate(given.get(name, ()), 1):
        stem = _UNSAFE.sub("-", PurePath(one.get("name", "")).stem).strip("-")[:_LONGEST_STEM] or name
        taken = any(stem == other["name"] for other in found) or name == "mask"
        found.append({"sha256": one["sha256"], "name": f"{name}-{number}-{stem}" if taken else stem})
    return found


def _file(media: MediaStore, job: str, name: str, role: str, before: str = "") -> dict[str, Any]:
    path = media.artefact(job, name)
    file = {"name": name, "mime": MIMES[path.suffix], "size_bytes": path.stat().st_size, "role": role}
    return file | ({"before": before} if before else {})
