"""Opens what was handed in, or says in one sentence why it cannot be opened.

A name is looked at before it is opened, since opening a pipe or a device can hang or do things;
the opened file is looked at again, since a name can point elsewhere a moment later.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast

from evidence.errors import EmptyMedia, LimitExceeded, MediaError, UnreadableMedia
from evidence.limits import DecodeLimits


def open_media(path: str | os.PathLike[str], limits: DecodeLimits) -> BinaryIO:
    """Open a regular, non-empty file within `limits.max_bytes` for reading.

    Raises `UnreadableMedia` for a missing name, a broken link, a directory, a pipe, a device or
    missing permission; `EmptyMedia` for 0 bytes; `LimitExceeded` beyond the byte limit.
    """
    name = os.fspath(path)
    try:
        _check(os.stat(name), name, limits)
        file = open(name, "rb", buffering=0, opener=_open_without_waiting)  # noqa: SIM115 - the caller's
    except (OSError, ValueError) as problem:
        raise _explain(problem, name) from problem
    try:
        _check(os.fstat(file.fileno()), name, limits)
    except MediaError:
        file.close()
        raise
    return file


def buffered(file: BinaryIO) -> BinaryIO:
    """The opened file for a reader that asks for a few bytes at a time; it closes with what it buffers."""
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, file), 1 << 20))


def read_media(path: str | os.PathLike[str], limits: DecodeLimits) -> bytes:
    """All bytes of a file that `open_media` would open."""
    with open_media(path, limits) as file:
        return read_all(file, os.fspath(path))


def read_all(file: BinaryIO, name: str) -> bytes:
    """The bytes from here on; a disk that fails on the way is `UnreadableMedia`."""
    try:
        return file.read()
    except OSError as problem:
        raise _explain(problem, name) from problem


def _open_without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _check(status: os.stat_result, name: str, limits: DecodeLimits) -> None:
    """Refuse what is no regular file, empty, or larger than allowed."""
    for test, noun, advice in _NO_FILES:
        if test(status.st_mode):
            raise UnreadableMedia(f"{name} is {noun}, not a file.", advice)
    if status.st_size == 0:
        raise EmptyMedia(f"{name} is empty: it holds 0 bytes.", "Copy or download it again.")
    if status.st_size > limits.max_bytes:
        raise LimitExceeded(
            f"{name} holds {status.st_size:,} bytes; the limit is {limits.max_bytes:,}.",
            "Raise the byte limit in the settings or cut the file.",
        )


def _explain(problem: OSError | ValueError, name: str) -> UnreadableMedia:
    """A sentence for the operating system's refusal."""
    number = problem.errno if isinstance(problem, OSError) else None
    if number == errno.ENOENT and Path(name).is_symlink():
        target = os.readlink(name)
        return UnreadableMedia(f"{name} is a link to {target}, which does not exist.", "Mend the link.")
    if number in (errno.ENOENT, errno.ENOTDIR):
        return UnreadableMedia(f"{name} does not exist (any more).", "Check the name.")
    if number == errno.ELOOP:
        return UnreadableMedia(f"{name} is a link that leads back to itself.", "Mend the link.")
    if number in (errno.EACCES, errno.EPERM):
        return UnreadableMedia(f"{name} may not be read by this user.", "Grant read permission.")
    reason = os.strerror(number) if number else "the name is not a possible file name"
    return UnreadableMedia(f"{name} cannot be read: {reason}.", "Check the name and the disk.")


_NO_FILES = (
    (stat.S_ISDIR, "a directory", "Name the files in it."),
    (stat.S_ISFIFO, "a pipe", "Write its content to a file first."),
    (stat.S_ISSOCK, "a socket", "Hand in a file."),
    (stat.S_ISCHR, "a device", "Hand in a file."),
    (stat.S_ISBLK, "a device", "Hand in a file."),
)
