"""Checks a test set against its manifest, and makes pictures anew from their rows, to the bit.

Checked are every file's sha256, its label against its folder, its twin's size, format, tables and date,
and that no group stands in two splits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from detector.entries import VIDEO_SUFFIXES
from evidence.errors import DataError, TouchstoneError
from evidence.image import decode_image
from evidence.jpeg import read_history
from evidence.video import probe_video
from exports.forging import Marks
from exports.manifest import MANIFEST, Row
from exports.registry import Registry
from testsets.aims import OpenTarget
from testsets.bench import Bench
from testsets.build import told
from testsets.plan import Order
from testsets.recipe import Source
from testsets.sources import Shelf, sha256_of


@dataclass(frozen=True)
class Fault:
    """What is wrong with a picture of a set."""

    path: str
    what: str


def rows_of(folder: Path) -> list[Row]:
    """The manifest of a set; raises DataError where there is none that can be read."""
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
        rows: list[Row] = [json.loads(line) for line in lines]
        for row in rows:
            row["path"], row["label"], row["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = error.strerror if isinstance(error, OSError) else repr(error)
        raise DataError(
            f"{folder / MANIFEST} cannot be read: {said}.", "Name the folder of a test set."
        ) from None
    return rows


def check(folder: Path, rows: Sequence[Row], on_row: Callable[[], None] = lambda: None) -> Iterator[Fault]:
    """Every fault of the files of a set."""
    by_path = {row["path"]: row for row in rows}
    splits: dict[str, str] = {}
    for row in rows:
        on_row()
        for what in _faults(folder, row, by_path):
            yield Fault(row["path"], what)
        if splits.setdefault(row["group"], row["split"]) != row["split"]:
            yield Fault(row["path"], f"its group {row['group']} stands in two splits")
    for path in sorted([*(folder / "real").rglob("*"), *(folder / "fake").rglob("*")]):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in by_path:
            yield Fault(name, "the manifest does not know it")


def chosen(rows: Sequence[Row], *, item: str = "", count: int = 0, seed: int = 0) -> list[Row]:
    """The rows to be made anew: one by its id or path, or so many at random. Raises DataError."""
    if item:
        found = [row for row in rows if item in (row["id"], row["path"])]
        if not found:
            raise DataError(f"There is no item {item} in the manifest.", "An id is like real/a or fake/x/a.")
        return found
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[int(at)] for at in order]


def bench_of(
    folder: Path,
    models: Registry,
    source: Path | None = None,
    *,
    open_target: OpenTarget | None = None,
    targets: Sequence[Path] = (),
    marks: Marks | None = None,
    faces: Path | None = None,
) -> Bench:
    """A bench with the reals that a set was made of, where they lie now; raises DataError.

    `open_target` opens the detectors that it attacked, `targets` are files of theirs that were moved;
    `marks` marks the pixels of forgeries that were marked, `faces` finds those around which clips are cut.
    """
    about = told(folder)
    if about is None:
        raise DataError(f"{folder} has no testset.json.", "Name the folder of a test set.")
    sources = [Source(**row) for row in about["sources"]]
    if source is not None:
        if len(sources) != 1:
            names = ", ".join(one.name for one in sources)
            raise DataError(f"The set has several sources: {names}.", "Put them where they were.")
        sources = [replace(sources[0].at(source), name=sources[0].name)]
    foes = dict(about.get("targets", {}))
    for file in targets:
        if open_target is None:
            break
        found = open_target(str(file.absolute()))
        own = [label for label, foe in foes.items() if foe["sha256"] == found.sha256]
        if not own:
            raise DataError(
                f"{file} is no detector that the set attacked.", f"It attacked {', '.join(foes)}."
            )
        foes |= {label: foes[label] | {"place": str(file.absolute())} for label in own}
    return Bench(
        Shelf(sources),
        models,
        faces,
        about["marks"],
        marks,
        open_target=open_target,
        targets=foes,
    )


def rebuild(bench: Bench, row: Row) -> str:
    """Make one picture anew from its row: "" where it is the same to the bit, else what is not."""
    try:
        made = _made(bench, row)
    except TouchstoneError as error:
        return f"cannot be made anew: {error}"
    if sha256_of(made) != row.get("unmarked_sha256", row["sha256"]):
        return "made anew, it is another picture"
    return ""


def _made(bench: Bench, row: Row) -> bytes:
    order = Order.from_row(row)
    data = bench.shelf.find(order.source, order.key).read(bench.limits)
    if sha256_of(data) != row["parents"][0]:
        raise DataError("Its real has changed since.", "Say with --source where the old one lies.")
    real = bench.deliver(order)
    if row["label"] == "real":
        return bench.real(order, real).content
    if row["model_sha256"]:
        entry = bench.models.get(f"{row['generator']}@{row['version']}")
        if entry.sha256 != row["model_sha256"]:
            raise DataError(f"{entry.label} is another model now.", "Install the release that made the set.")
    boxes = [(left, top, width, height) for left, top, width, height in row.get("boxes", ())]
    return bench.fake(order, order.picks[0], real, boxes).content


def _faults(folder: Path, row: Row, by_path: dict[str, Row]) -> Iterator[str]:
    path = folder / row["path"]
    try:
        data = path.read_bytes()
    except OSError as error:
        yield f"cannot be read: {error.strerror}"
        return
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        yield "its sha256 is not that of the manifest"
    if row["path"].split("/")[0] != row["label"]:
        yield f"it lies in another folder than its label, {row['label']}"
    if row.get("mask") and not (folder / row["mask"]).is_file():
        yield f"its mask {row['mask']} is gone"
    if row["label"] == "real":
        return
    twin = by_path.get(row["twin_of"])
    if twin is None or not (folder / twin["path"]).is_file():
        yield "its real twin is gone"
        return
    if twin["label"] != "real" or (twin["group"], twin["split"]) != (row["group"], row["split"]):
        yield "its twin is no real of its group and split"
    yield from _unlike(data, path, folder / twin["path"])


def _unlike(data: bytes, path: Path, twin: Path) -> Iterator[str]:
    """What tells a forgery's file from that of its twin."""
    other = twin.read_bytes()
    try:
        if path.suffix.lower() in VIDEO_SUFFIXES:
            told = [probe_video(one) for one in (path, twin)]
            facts = ("width", "height", "mime", "codec", "frames", "duration_seconds", "fps_mode")
            yield from (
                f"its {name} is not its twin's"
                for name in facts
                if len({getattr(one, name) for one in told}) > 1
            )
            return
        seen, real = decode_image(data)[0], decode_image(other)[0]
    except TouchstoneError as error:
        yield f"it or its twin cannot be decoded: {error}"
        return
    same: dict[str, tuple[Any, Any]] = {
        "size": ((seen.width, seen.height), (real.width, real.height)),
        "format": (seen.mime, real.mime),
        "quantisation": (read_history(data), read_history(other)),
        "date": (path.stat().st_mtime, twin.stat().st_mtime),
    }
    yield from (f"its {name} is not its twin's" for name, (one, two) in same.items() if one != two)
