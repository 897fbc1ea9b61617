"""Small media that are on disk before their files are: a journal, synced once for all that come together.

The file of a medium needs a sync, its folder another, the folders made for it two more. Here the bytes of a
group go to the end of one file as well, which is synced, and the group is on disk. Their own files are synced
seconds later, all at once, and then the journal is dropped; one that a power cut left is read when the media
store is opened, and what is missing or torn is put in its place again. A medium that is deleted meanwhile
stays in a journal for those seconds; one that comes back though no job needs it is swept.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import struct
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from evidence.errors import StoreError
from worker.receiving import Receiving, Shelf, Spread, keep_all, on_disk, sync_folder

SETTLE_SECONDS = 5.0  # the longer, the more files share what a sync costs
# So much may wait for its own files to be synced; what comes beyond goes straight to them.
MOST_BYTES = 256 * 2**20
_HEAD = struct.Struct("<4sQ32s")  # a mark, how many bytes follow, their sha256
_MARK = b"TSJ1"


class Journal:
    """The way to the disk of small media on a shelf; for any number of threads, and one process."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._open: _Leaf | None = None
        self._spare: _Leaf | None = None
        self._unsettled: list[_Leaf] = []
        self._stopping = threading.Event()
        self._settler: threading.Thread | None = None

    def keep(self, group: Sequence[Receiving], spread: Spread = map) -> list[StoreError | None]:
        """Put media in their places, all on disk when this returns, but for those with an error beside them.

        The large ones go by `keep_all`, and so do all where the journal cannot be written.
        """
        small = [receiving for receiving in group if receiving.held] if sys.platform == "linux" else []
        try:
            self._write(small)
        except StoreError:
            small = []
        rest = [receiving for receiving in group if receiving not in small]
        outcomes = dict(zip(map(id, rest), keep_all(rest, spread), strict=True))
        return [outcomes.get(id(receiving)) for receiving in group]

    def close(self) -> None:
        """Leave no journal behind, or what it holds for the next one that opens the store."""
        self._stopping.set()
        if self._settler is not None:
            self._settler.join()
        with contextlib.suppress(StoreError):
            self.settle()
        for leaf in filter(None, (self._open, self._spare, *self._unsettled)):
            leaf.close()
        self._open = self._spare = None

    def settle(self) -> None:
        """Have the files of all that was kept on disk, and drop its journals. Raises StoreError."""
        with self._lock:
            if self._open is not None and self._open.size_bytes:
                self._unsettled.append(self._open)
                self._open, self._spare = self._spare, None
        if self._unsettled:
            sync_all(self._shelf.folder)
            while self._unsettled:
                self._unsettled.pop().drop()
            if not self._stopping.is_set():
                self._spare = self._spare or _Leaf(self._shelf)

    def _write(self, group: Sequence[Receiving]) -> None:
        if not group:
            return
        records = b"".join(_record(receiving.place_held(), receiving.sha256) for receiving in group)
        with self._lock:
            waiting = sum(leaf.size_bytes for leaf in (*self._unsettled, *filter(None, [self._open])))
            if waiting + len(records) > MOST_BYTES:
                raise StoreError("The journal of small media is full.")
            self._open = self._open or _Leaf(self._shelf)
            self._open.append(records)
            if self._settler is None:
                self._settler = threading.Thread(target=self._settle_on, name="journal", daemon=True)
                self._settler.start()

    def _settle_on(self) -> None:
        while not self._stopping.wait(SETTLE_SECONDS):
            with contextlib.suppress(StoreError):  # tried again
                self.settle()


def replay(shelf: Shelf) -> int:
    """Put in their places again what journals hold that nobody writes any more; how many were not there."""
    lost = 0
    for path in _folder(shelf).glob("journal-*"):
        with contextlib.suppress(OSError, StoreError), path.open("rb") as journal:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for data, sha256 in _records(journal.read()):
                with contextlib.suppress(FileNotFoundError):
                    if hashlib.sha256(shelf.place(sha256).read_bytes()).hexdigest() == sha256:
                        continue
                with Receiving(replace(shelf, max_bytes=len(data))) as receiving:
                    receiving.write(data)
                    receiving.finish()
                lost += 1
            sync_all(shelf.folder)
            path.unlink()
    return lost


def sync_all(folder: Path) -> None:
    """Have on disk whatever was written to the file system of a folder. Raises StoreError."""
    with on_disk():
        handle = os.open(folder, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)


class _Leaf:
    """One file of a journal, locked as long as its process lives."""

    def __init__(self, shelf: Shelf) -> None:
        folder = _folder(shelf)
        name = uuid.uuid4().hex
        self.size_bytes = 0
        self._path = folder / f"journal-{name}"
        with on_disk():
            folder.mkdir(exist_ok=True)
            born = folder / name
            self._handle = os.open(born, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            born.rename(self._path)
        sync_folder(folder)
        sync_folder(shelf.folder)

    def append(self, records: bytes) -> None:
        """On disk when this returns; raises StoreError, and then nothing of it is there."""
        with on_disk():
            try:
                done = 0
                while done < len(records):
                    done += os.pwrite(self._handle, records[done:], self.size_bytes + done)
                os.fdatasync(self._handle)
            except OSError:
                os.ftruncate(self._handle, self.size_bytes)
                raise
        self.size_bytes += len(records)

    def drop(self) -> None:
        """Delete it: the files of what it holds are on disk."""
        self._path.unlink(missing_ok=True)
        os.close(self._handle)

    def close(self) -> None:
        """Give it up, with what it holds."""
        if not self.size_bytes:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


def _folder(shelf: Shelf) -> Path:
    return shelf.folder / "journals"


def _record(data: bytes, sha256: str) -> bytes:
    return _HEAD.pack(_MARK, len(data), bytes.fromhex(sha256)) + data


def _records(journal: bytes) -> Iterator[tuple[bytes, str]]:
    """What a journal holds, up to what a power cut tore."""
    place = 0
    while place + _HEAD.size <= len(journal):
        mark, size, digest = _HEAD.unpack_from(journal, place)
        data = journal[place + _HEAD.size : place + _HEAD.size + size]
        if mark != _MARK or hashlib.sha256(data).digest() != digest:
            return
        yield data, digest.hex()
        place += _HEAD.size + size
