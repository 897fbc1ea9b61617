"""Write a file whole or not at all, a secret one for its owner alone, and keep others out of its folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the place, then rename, so that a reader never sees half; raises `OutputError`."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror}.", "Free some space, or choose another folder."
        ) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes that lock the same folder out while the block runs; raises `OutputError`."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"{folder} cannot be opened: {error.strerror}.", "Create the folder.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that nobody else could ever read, not even for a moment; raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
