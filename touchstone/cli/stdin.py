"""A medium on standard input, kept in a file for as long as it is scanned: decoders read files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from evidence.errors import OutputError, UsageError

_PIECE = 1 << 20


@contextmanager
def saved_stdin(max_bytes: int) -> Iterator[str]:
    """The path of a nameless file with what standard input holds, at most a byte beyond `max_bytes`.

    A larger one is refused by the decoder like any file of that size. Nothing is left of the file when
    the process ends, however it ends.
    """
    if sys.stdin.isatty():
        raise UsageError("Standard input is a terminal.", "Pipe a file in: touchstone scan - < photo.jpg")
    with tempfile.TemporaryFile() as file:
        try:
            left = max_bytes + 1
            while left > 0 and (piece := sys.stdin.buffer.read(min(_PIECE, left))):
                file.write(piece)
                left -= len(piece)
            file.flush()
        except OSError as error:
            raise OutputError(
                f"Standard input cannot be kept in {tempfile.gettempdir()}: {error.strerror}.",
                "Free space there, or set TMPDIR to another folder.",
            ) from None
        yield f"/dev/fd/{file.fileno()}"
