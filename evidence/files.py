"""Write a file whole or not at all."""

from __future__ import annotations

import os
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
