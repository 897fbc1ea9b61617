"""Labelled collections as the field lays them out on disk, read by name, never by order of folders.

Tables (`tables.py`): our forge's manifest, CSV, Parquet, WebDataset, Hugging Face. Folders
(`layouts.py`): ForenSynths, GenImage and their kin. Faces and videos (`face_sets.py`): DeepfakeBench,
FaceForensics++, Celeb-DF, DFDC. A format is recognised by what it names its parts.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from detector import face_sets, layouts, tables
from detector.entries import FOLDERS, SUFFIXES, Entry, Label
from evidence.decode import DecodedMedium, decode
from evidence.errors import DamagedMedia, DataError, MediaError
from evidence.limits import DecodeLimits
from evidence.medium import MediaInfo, Pixels, Sampling
from evidence.source import open_media

__all__ = ["MANIFEST", "SUFFIXES", "Entry", "Label", "OnFailed", "decoded", "opened", "read"]

MANIFEST = tables.MANIFEST

OnFailed = Callable[[Entry, MediaError], None]
OnUnlabelled = Callable[[DataError], None]


def read(
    collection: Path,
    *,
    split: str | None = None,
    reals: Path | None = None,
    on_unlabelled: OnUnlabelled | None = None,
) -> list[Entry]:
    """Every labelled picture and video of a collection (a folder or a table), in a stable order.

    With `split`, those of that split alone. `reals` is a folder of real ones that lie elsewhere; what no
    name labels in the collection is then fake. A row without a label goes to `on_unlabelled`; without
    that it is raised. DataError when the layout is unknown or nothing is left.
    """
    if not collection.exists():
        raise DataError(f"There is no collection at {collection}.", "Check the path.")
    entries = list(_read(collection, on_unlabelled))
    if reals is not None:
        entries = entries or list(layouts.unlabelled(collection, "fake"))
        entries += layouts.unlabelled(reals, "real", prefix="reals/")
    if split is not None:
        entries = [entry for entry in entries if entry.split in (split, "") or entry.key[:6] == "reals/"]
        entries = entries if any(entry.split == split for entry in entries) else []
    if not entries:
        wanted = f" of split {split!r}" if split else ""
        raise DataError(
            f"{collection} holds no labelled picture{wanted}.",
            f"Give a folder with {MANIFEST}, a CSV with the columns path and label, or folders named "
            f"{', '.join(FOLDERS)}; docs/evaluating.md lists every layout. Of a folder of fakes alone, name "
            "the reals with --reals.",
        )
    return entries


@contextmanager
def opened(
    entry: Entry, sampling: Sampling | None = None, limits: DecodeLimits | None = None
) -> Iterator[DecodedMedium]:
    """The picture or video of an entry, ready to give its frames; raises MediaError."""
    limits = limits or DecodeLimits()
    if entry.inside is not None:
        file = io.BytesIO(entry.inside.read())
        with decode(file, entry.key, sampling or Sampling(), limits) as medium:
            yield medium
        return
    with (
        open_media(entry.path, limits) as there,
        decode(there, str(entry.path), sampling or Sampling(), limits) as medium,
    ):
        yield medium


def decoded(
    entries: Iterable[Entry],
    on_progress: Callable[[int], None] | None = None,
    on_failed: OnFailed | None = None,
) -> Iterator[tuple[Entry, MediaInfo, Pixels]]:
    """Each picture with its description and pixels, of a video its first frame.

    `on_progress` is told how many were begun. One that cannot be decoded is left out and handed to
    `on_failed`; without that its error is raised.
    """
    for number, entry in enumerate(entries, start=1):
        if on_progress is not None:
            on_progress(number)
        try:
            with opened(entry, Sampling(max_frames=1)) as medium:
                info, pixels = medium.info, _first(medium)
        except MediaError as error:
            if on_failed is None:
                raise
            on_failed(entry, error)
            continue
        yield entry, info, pixels


def _first(medium: DecodedMedium) -> Pixels:
    frame = next(medium.frames(), None)
    if frame is None:
        raise DamagedMedia("Not one frame can be decoded.", "Get an undamaged copy of the file.")
    return frame.pixels


def _read(collection: Path, on_unlabelled: OnUnlabelled | None) -> Iterator[Entry]:
    """By what lies there: a table, else a set of videos that is known by name, else labelled folders."""
    if collection.is_file():
        if face_sets.is_listing(collection):
            yield from face_sets.listed(collection)
        else:
            yield from tables.read_table(collection, on_unlabelled)
        return
    found = tables.tables_in(collection)
    if found:
        for table in found:
            for entry in tables.read_table(table, on_unlabelled):
                yield _moved(entry, table.parent, collection)
        return
    listings = face_sets.listings_in(collection)
    if listings:
        for listing in listings:
            yield from face_sets.listed(listing)
        return
    by_layout = face_sets.by_folders(collection)
    yield from by_layout if by_layout is not None else layouts.by_folders(collection)


def _moved(entry: Entry, folder: Path, root: Path) -> Entry:
    """An entry of a table below the root, its keys relative to the root."""
    if folder == root:
        return entry
    place = folder.relative_to(root).as_posix()
    return replace(
        entry,
        key=f"{place}/{entry.key}",
        twin_of=f"{place}/{entry.twin_of}" if entry.twin_of else "",
        split=entry.split or layouts.split_of(folder.relative_to(root).parts),
    )
