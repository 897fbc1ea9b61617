"""Where uploads and the pictures of jobs lie: a file under its sha256, what was made of it under its job.

folder/ab/cd/abcd...      a medium, by content; no name that a client gave is ever a path
folder/jobs/<job>/<name>  what a job made: heat.png, preview.jpg, report.html, generated files
folder/incoming/          what is being received; emptied of what a crash left when the store is opened
folder/journals/          small media whose own files are not synced yet (`journal.py`); read at opening
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from evidence.errors import NoSuchMedium, StoreUnavailable
from worker.journal import replay
from worker.receiving import Receiving, Shelf

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# A part file this old belongs to nobody: no upload takes longer.
_FORGOTTEN_SECONDS = 86_400.0


class MediaStore:
    """Files by content in `folder`, none larger than `max_bytes`; for any number of processes."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self.shelf = Shelf(folder, max_bytes)
        self._incoming = self.shelf.incoming
        try:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for part in self._incoming.iterdir():
                if part.stat().st_mtime < time.time() - _FORGOTTEN_SECONDS:
                    part.unlink(missing_ok=True)
            replay(self.shelf)
        except OSError as error:
            raise StoreUnavailable(
                f"The media folder {folder} cannot be used: {error.strerror or error}.",
                "Make it writable, or name another with TOUCHSTONE_MEDIA_DIR.",
            ) from None

    def receive(self) -> Receiving:
        """A context in which one medium is written; what is not finished leaves nothing behind."""
        return Receiving(self.shelf)

    def path(self, sha256: str) -> Path:
        """The file of a medium; raises NoSuchMedium."""
        if not self.has(sha256):
            raise NoSuchMedium(f"There is no medium {sha256[:64]}.", "Upload it.")
        return self.place(sha256)

    def has(self, sha256: str) -> bool:
        """Whether the medium is here."""
        return bool(_SHA256.fullmatch(sha256)) and self.place(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Delete a medium; one that is not there is deleted already."""
        if _SHA256.fullmatch(sha256):
            self.place(sha256).unlink(missing_ok=True)

    @contextlib.contextmanager
    def aside(self, sha256: str) -> Iterator[Callable[[], None]]:
        """The medium out of its place for the time of the block, and then back, unless it was dropped.

        Whoever accepts the same bytes meanwhile finds them missing and says so, instead of losing them.
        """
        place, away = self.place(sha256), self._incoming / f"aside-{uuid.uuid4().hex}"
        try:
            place.rename(away)
        except FileNotFoundError:
            yield lambda: None
            return
        dropped = False

        def drop() -> None:
            nonlocal dropped
            dropped = True

        try:
            yield drop
        finally:
            if dropped or place.exists():
                away.unlink()
            else:
                away.rename(place)

    def artefact(self, job: str, name: str) -> Path:
        """The path of something a job made; its folder is there. Raises NoSuchMedium for no proper name."""
        folder = self._job_folder(job)
        if not _NAME.fullmatch(name):
            raise NoSuchMedium("There is no such file.", "The job lists the files it made.")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def forget(self, job: str) -> None:
        """Delete everything that a job made."""
        shutil.rmtree(self._job_folder(job), ignore_errors=True)

    def jobs(self, *, before: float) -> Iterator[str]:
        """The jobs that made something, last changed before that time."""
        return _older(self.folder / "jobs", before)

    def media(self, *, before: float) -> Iterator[str]:
        """The sha256 of the media that were put here before that time."""
        for folder in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]"):
            yield from _older(folder, before)

    def place(self, sha256: str) -> Path:
        """Where a medium lies, or would."""
        return self.shelf.place(sha256)

    def _job_folder(self, job: str) -> Path:
        if not _NAME.fullmatch(job):
            raise NoSuchMedium("There is no such job.", "List what there is.")
        return self.folder / "jobs" / job


def _older(folder: Path, before: float) -> Iterator[str]:
    """The names in a folder that were changed before that time."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # deleted just now
                if entry.stat().st_mtime < before:
                    yield entry.name
