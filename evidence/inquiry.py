"""Reading a file in another way than by its pixels, in the same locked-down children.

A room above names a class, `Reader("room.module:Class", {arguments})`; the zygote imports and makes it
once, and a child calls it with the opened files. What it returns comes back as JSON. A native library
that hangs, crashes or eats memory on a hostile file costs that answer and a child, nothing else.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from evidence.children import Child, lost, told, too_slow
from evidence.errors import DecoderCrashed
from evidence.limits import DecodeLimits
from evidence.wire import Broken, Message

# The opened files (the medium first) and the medium's name -> what is to be known, as plain JSON.
Reads = Callable[[Sequence[BinaryIO], str], Message]

READ_SECONDS = 10.0  # of processor time, and a second more for each 100 MB that have to be hashed
_BYTES_PER_SECOND = 100e6
_WAIT = 4.0  # times that by the clock on the wall, on a machine that has other things to do


@dataclass(frozen=True)
class Reader:
    """What children import and make, `target` being "module:Class", and the arguments of its making."""

    target: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def to_wire(self) -> Message:
        """What the zygote is told."""
        return {"reader": self.target, "arguments": self.arguments}


def reader_of(target: str, arguments: dict[str, Any]) -> Reads:
    """Make a reader; called in the zygote before anything hostile is near."""
    module, _, name = target.partition(":")
    made: Reads = getattr(importlib.import_module(module), name)(**arguments)
    return made


def inquire(
    child: Child,
    files: Sequence[BinaryIO],
    path: str,
    on_end: Callable[[Child, bool], int],
    *,
    limits: DecodeLimits,
) -> Message:
    """Have a child read opened files; what its reader returned.

    `on_end(child, healthy)` is called once, as `Session` calls it. Raises the `MediaError` that says
    why there is no answer.
    """
    child.files += 1
    size_bytes = sum(os.fstat(file.fileno()).st_size for file in files)
    hashing = size_bytes / _BYTES_PER_SECOND
    seconds = READ_SECONDS + hashing
    try:
        request = {"read": path, "files": len(files), "seconds": seconds}
        child.channel.send(request, [file.fileno() for file in files])
        message = child.channel.receive(min(_WAIT * READ_SECONDS, limits.decode_seconds) + _WAIT * hashing)
    except TimeoutError:
        on_end(child, False)
        raise too_slow(seconds) from None
    except Broken as problem:
        raise lost(on_end(child, False), problem, seconds) from problem
    on_end(child, True)
    if "error" in message:
        raise told(message["error"])
    answer = message.get("answer")
    if not isinstance(answer, dict):
        raise DecoderCrashed("The process that read this file answered nonsense.", "Please report it.")
    return answer
