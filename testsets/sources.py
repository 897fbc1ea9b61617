"""The reals of a test set: pictures of a folder, reals of a labelled collection, those of a shared set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from detector.entries import VIDEO_SUFFIXES, Content
from detector.readers import read
from evidence.errors import DataError
from evidence.limits import DecodeLimits
from evidence.source import read_media
from exports.forging import reals_in
from generators.data.shards import Item, data_root, load
from testsets.recipe import VIDEOS, Source

Plain = str | int | float | bool

_T = TypeVar("_T")
_NO_ATTRIBUTES = {"key", "file", "file_b", "w", "h", "split", "source"}


@dataclass(frozen=True)
class Original:
    """A real picture where it lies: `key` names it in its source, `group` what must not be split."""

    source: Source
    key: str
    group: str
    split: str = ""
    caption: str = ""
    attributes: dict[str, Plain] = field(default_factory=dict)
    path: Path | None = None
    inside: Content | None = None

    def read(self, limits: DecodeLimits) -> bytes:
        """Its bytes; raises MediaError."""
        if self.inside is not None:
            return self.inside.read()
        assert self.path is not None
        return read_media(self.path, limits)


@dataclass(frozen=True)
class _Held:
    """The bytes of a picture of a shared set."""

    data: bytes = field(repr=False)

    def read(self) -> bytes:
        return self.data


class Shelf:
    """The originals of some sources, found by the name of the source and their key."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = {source.name: source for source in sources}

    @cached_property
    def originals(self) -> dict[str, dict[str, Original]]:
        """Of each source, its originals in order."""
        return {name: {one.key: one for one in _of(source)} for name, source in self.sources.items()}

    def find(self, source: str, key: str) -> Original:
        """One of them; raises DataError where it is gone."""
        found = self.originals.get(source, {}).get(key)
        if found is None:
            raise DataError(
                f"There is no {key} among the reals of {source}.",
                "Say with --source where its reals lie now.",
            )
        return found


def some(items: Sequence[_T], most: int | None) -> list[_T]:
    """At most so many, spread evenly."""
    if most is None or most >= len(items):
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def sha256_of(data: bytes) -> str:
    """The sum by which a manifest knows a parent."""
    return hashlib.sha256(data).hexdigest()


def _of(source: Source) -> Iterator[Original]:
    if source.shards == VIDEOS:
        yield from _in_folder(source, data_root() / VIDEOS)
    elif source.folder:
        yield from _in_folder(source, Path(source.folder))
    elif source.collection:
        yield from _in_collection(source, Path(source.collection))
    elif source.shards:
        items = [item for item in load(source.shards, source.split or None)]
        yield from (_shared(source, item) for item in some(items, source.most))
    else:
        raise DataError(
            f"The recipe does not say where the reals of {source.name} lie.",
            "Name a folder of your own pictures with --source.",
        )


def _in_folder(source: Source, folder: Path) -> Iterator[Original]:
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", "Name a folder of real pictures.")
    paths = _videos_in(folder) if source.clips else [real.path for real in reals_in(folder)]
    for path in some(paths, source.most):
        key = path.relative_to(folder).as_posix()
        yield Original(source, key, key, path=path)


def _videos_in(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    if not paths:
        raise DataError(f"{folder} holds no videos.", f"They end in {', '.join(sorted(VIDEO_SUFFIXES))}.")
    return paths


def _in_collection(source: Source, collection: Path) -> Iterator[Original]:
    reals = [
        entry
        for entry in read(collection, split=source.split or None)
        if entry.label == "real" and (entry.path.suffix.lower() in VIDEO_SUFFIXES) == source.clips
    ]
    if not reals:
        what = "videos" if source.clips else "pictures"
        raise DataError(f"{collection} holds no real {what}.", "Name one that does.")
    for entry in some(reals, source.most):
        yield Original(source, entry.key, entry.group, entry.split, path=entry.path, inside=entry.inside)


def _shared(source: Source, item: Item) -> Original:
    captions = item.meta.get("captions") or [item.meta.get("caption", "")]
    said: dict[str, Any] = {name: value for name, value in item.meta.items() if name not in _NO_ATTRIBUTES}
    plain = {name: value for name, value in said.items() if isinstance(value, (str, int, float, bool))}
    return Original(
        source, item.key, item.group, item.split, str(captions[0]), plain, inside=_Held(item.data)
    )
