"""Where the lines of a report go: a file or standard output, each line complete on disk before the next.

A full disk, a missing folder and a closed pipe are OutputErrors that name the file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from evidence.errors import OutputError

STDOUT = Path("-")


class Sink:
    """Text that is appended in whole lines. `path` "-" is standard output, which is left open.

    `append` keeps what the file holds. Names that are no UTF-8 come back out as the bytes they were.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.path = path
        self._owned = path != STDOUT
        try:
            self._stream = (
                path.open("a" if append else "w", encoding="utf-8", errors="surrogateescape", newline="")
                if self._owned
                else sys.stdout
            )
        except OSError as error:
            raise unwritable(path, error) from None

    def write(self, text: str) -> None:
        """Write and flush; raises OutputError."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self._forget()
            raise unwritable(self.path, error) from None

    def close(self) -> None:
        """Close a file; raises OutputError when the disk does not take the rest."""
        if not self._owned:
            return
        try:
            self._stream.close()
        except OSError as error:
            raise unwritable(self.path, error) from None

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _forget(self) -> None:
        """Drop what could not be written, so that closing does not fail a second time."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
        if self._owned:
            self._stream.close()


def unwritable(path: Path, error: OSError) -> OutputError:
    """The OutputError for what the system said of a file."""
    name = "standard output" if path == STDOUT else str(path)
    return OutputError(
        f"{name} cannot be written: {error.strerror or error}.", "Free space, or name another file."
    )
