"""sha256 of a file, or of a stream while it is being written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import IO

CHUNK_BYTES = 1 << 20


def sha256_file(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file's bytes, in hex. Raises `OSError` when it cannot be read."""
    with Path(path).open("rb") as file:
        return sha256_stream(file)


def sha256_stream(file: IO[bytes]) -> str:
    """The sha256 of what is left to read of a binary stream, in hex."""
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


class HashingWriter:
    """A binary file opened for writing that knows its sha256 and size at any moment.

    Closing it does not rename or sync: who needs an atomic file writes beside the place and
    renames after reading `sha256`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115 - `close` closes it
        self._sum = hashlib.sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        """Write `data`, taking it into the sum; returns the bytes written."""
        written = self._file.write(data)
        self._sum.update(data)
        self.size_bytes += written
        return written

    @property
    def sha256(self) -> str:
        """The sum, in hex, of all bytes written so far."""
        return self._sum.hexdigest()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> HashingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
