"""Media on their way in: hashed while they come, and on disk under their sum before anybody is told so.

A power cut at any instant leaves a whole medium in its place or none: bytes are synced before they get their
name, and then the folder that holds the name, with the folders that were made for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, TypeVar

from evidence.errors import LimitExceeded, StoreError, StoreFull, StoreUnavailable

HELD_BYTES = 256 * 1024  # a medium this small waits for its place in memory
FULL = (errno.ENOSPC, errno.EDQUOT)  # no room, or none for us


@dataclass(frozen=True)
class Stored:
    """A medium that is on disk."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Shelf:
    """Where media get their places: `lasting` are the folders that are known to survive a power cut."""

    folder: Path
    max_bytes: int
    lasting: set[Path] = field(default_factory=set)

    @property
    def incoming(self) -> Path:
        """Where media lie until they are whole."""
        return self.folder / "incoming"

    def place(self, sha256: str) -> Path:
        """Where a medium lies, or would."""
        return self.folder / sha256[:2] / sha256[2:4] / sha256


T = TypeVar("T")
R = TypeVar("R")


class Spread(Protocol):
    """`map`, perhaps by several threads."""

    def __call__(self, do: Callable[[T], R], values: Iterable[T], /) -> Iterable[R]: ...


class Receiving:
    """One medium on its way in, a context: what is not kept leaves nothing. Raises LimitExceeded, StoreFull.

    Up to `HELD_BYTES` it is held in memory, and then `write` never waits for the disk.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.size_bytes = 0
        self._hash = hashlib.sha256()
        self._held = bytearray()
        self._file: BinaryIO | None = None
        self._path = shelf.incoming / uuid.uuid4().hex

    def __enter__(self) -> Receiving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk may refuse to flush what is thrown away
                self._file.close()
            self._path.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """The sum of what was written so far."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append a part."""
        self.size_bytes += len(chunk)
        if self.size_bytes > self.shelf.max_bytes:
            raise LimitExceeded(
                f"The file has more than {self.shelf.max_bytes} bytes, which are allowed.",
                "Hand in a smaller file, or raise TOUCHSTONE_MAX_BYTES.",
            )
        self._hash.update(chunk)
        if self._file is None and self.size_bytes <= HELD_BYTES:
            self._held += chunk
            return
        with on_disk():
            self._opened().write(chunk)

    def read(self) -> bytes:
        """All of what was written, from memory or disk."""
        if self._file is None:
            return bytes(self._held)
        with on_disk():
            self._file.flush()
            return self._path.read_bytes()

    def finish(self) -> Stored:
        """Put the medium in its place, on disk when this returns; bytes that were there stay, as new."""
        (error,) = keep_all([self])
        if error is not None:
            raise error
        return Stored(self.sha256, self.size_bytes)

    def write_out(self) -> None:
        """Hand all bytes to the system, which may still hold them back."""
        with on_disk():
            self._opened().flush()

    def written(self) -> Path:
        """A file with all that was written so far, until the medium is finished or thrown away."""
        self.write_out()
        return self._path

    def sync(self) -> None:
        """Have the bytes on disk; after `write_out`."""
        with on_disk():
            os.fsync(self._opened().fileno())

    def put(self) -> set[Path]:
        """The medium to its place; returns the folders that are to be synced for it. After `sync`."""
        place = self.shelf.place(self.sha256)
        with on_disk():
            self._opened().close()
            self._move(place)
        self._file = None
        if place.parent in self.shelf.lasting:
            return {place.parent}
        return {place.parent, place.parent.parent, self.shelf.folder}

    @property
    def held(self) -> bool:
        """Whether all of it is in memory."""
        return self._file is None

    def place_held(self) -> bytes:
        """What is held, now also in its place, not synced; the same bytes that lie there stay, as new."""
        data, place = bytes(self._held), self.shelf.place(self.sha256)
        with on_disk():
            with contextlib.suppress(FileNotFoundError):
                if place.read_bytes() == data:
                    os.utime(place)
                    return data
            try:
                self._path.write_bytes(data)
                self._move(place)
            except OSError:
                self._path.unlink(missing_ok=True)
                raise
        return data

    def _move(self, place: Path) -> None:
        try:
            os.replace(self._path, place)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._path, place)

    def _opened(self) -> BinaryIO:
        """The file that is written, with what was held so far."""
        if self._file is None:
            self._file = open(self._path, "xb")  # noqa: SIM115  closed by `put` or on the way out
            self._file.write(self._held)
            self._held.clear()
        return self._file


def keep_all(group: Sequence[Receiving], spread: Spread = map) -> list[StoreError | None]:
    """Put media in their places, all on disk when this returns, but for those with an error beside them.

    `spread` is `map`, or that of a pool of threads: what is synced at the same time shares the disk's work.
    """
    outcomes = [_said(receiving.write_out) for receiving in group]
    written = [number for number, error in enumerate(outcomes) if error is None]
    for number, error in zip(written, spread(_said, [group[number].sync for number in written]), strict=True):
        outcomes[number] = error
    changed: dict[Path, list[int]] = {}
    for number in written:
        if outcomes[number] is None:
            try:
                for folder in group[number].put():
                    changed.setdefault(folder, []).append(number)
            except StoreError as refused:
                outcomes[number] = refused
    for numbers, error in zip(changed.values(), spread(_folder_synced, changed), strict=True):
        for number in numbers:
            outcomes[number] = outcomes[number] or error
    for receiving, error in zip(group, outcomes, strict=True):
        if error is None:
            receiving.shelf.lasting.add(receiving.shelf.place(receiving.sha256).parent)
    return outcomes


@contextlib.contextmanager
def on_disk() -> Iterator[None]:
    """What the disk says, in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StoreFull(
                "The disk for media is full.", "Free some space and send the file again."
            ) from None
        raise StoreUnavailable(
            f"The file cannot be stored: {error.strerror or error}.", "Check TOUCHSTONE_MEDIA_DIR."
        ) from None


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut. Raises StoreError."""
    with on_disk():
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _said(do: Callable[[], object]) -> StoreError | None:
    """Do it; what the store said against it."""
    try:
        do()
    except StoreError as error:
        return error
    return None


def _folder_synced(folder: Path) -> StoreError | None:
    """Make new names in a folder survive a power cut; what the store said against it."""
    return None if os.name == "nt" else _said(lambda: sync_folder(folder))
