"""Readers that a native library could become on a hostile file: imported by the decode zygote in tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO


class Hostile:
    """Does what the file's first word says."""

    def __init__(self, greeting: str = "") -> None:
        self.greeting = greeting

    def __call__(self, files: Sequence[BinaryIO], name: str) -> dict[str, Any]:
        word = files[0].read(64).split()[0]
        if word == b"hang":
            while True:
                pass
        if word == b"crash":
            os.abort()
        if word == b"eat":
            return {"bytes": len(bytearray(64 << 30))}
        if word == b"raise":
            raise ZeroDivisionError("by a file")
        if word == b"flood":
            return {"flood": "x" * (8 << 20)}
        if word == b"open":
            open("/etc/hostname").close()
        return {"said": f"{self.greeting} {word.decode()} {len(files)}", "name": name}
