"""What to scan: files, folders, globs and lists, as one ordered list without doubles.

Folders are walked in order of name, hidden entries left out, links followed but never in circles.
What cannot be listed stays in the list with its error, so that it gets a row like any other file.
"""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import MediaError, UnreadableMedia, UsageError

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """One path to scan, or why it cannot be."""

    path: str
    problem: MediaError | None = None


def expand(arguments: Iterable[str]) -> list[Input]:
    """Every file the arguments name, in their order; a file named twice is listed at its first place."""
    return list(walk(arguments))


def walk(arguments: Iterable[str]) -> Iterator[Input]:
    """`expand`, one by one: of those before, only the paths are kept in memory."""
    seen: set[str] = set()
    for argument in arguments:
        for item in _files_of(argument):
            key = item.path if item.path == STDIN else os.path.abspath(item.path)
            if key not in seen:
                seen.add(key)
                yield item


def read_list(source: str) -> list[str]:
    """The paths in a file, or on standard input when it is "-": one a line, or divided by NUL bytes.

    Raises UsageError where it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"The list {source} cannot be read: {error.strerror}.", "Name another.") from None
    parts = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [os.fsdecode(part) for part in parts if part.strip()]


def names_one_file(arguments: Sequence[str]) -> bool:
    """Whether a person named exactly one medium, not a folder, a pattern or several."""
    if len(arguments) != 1 or os.path.isdir(arguments[0]):
        return False
    return os.path.lexists(arguments[0]) or not glob.has_magic(arguments[0])


def _files_of(argument: str) -> Iterator[Input]:
    if argument == STDIN:
        yield Input(STDIN)
    elif os.path.isdir(argument):
        yield from _walk(argument, set())
    elif os.path.lexists(argument) or not glob.has_magic(argument):
        yield Input(argument)
    else:
        yield from _matches(argument)


def _matches(pattern: str) -> Iterator[Input]:
    """The files a pattern matches, in order of name; folders among them are walked."""
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        yield Input(pattern, UnreadableMedia(f"No file matches {pattern}.", "Check the pattern."))
    for match in matches:
        yield from _walk(match, set()) if os.path.isdir(match) else (Input(match),)


def _walk(folder: str, above: set[tuple[int, int]]) -> Iterator[Input]:
    try:
        here = os.stat(folder)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        message = f"The folder {folder} cannot be listed: {error.strerror}."
        yield Input(folder, UnreadableMedia(message, "Check its permissions."))
        return
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            mode = entry.stat().st_mode
        except FileNotFoundError:  # a broken link, or lost meanwhile: the decoder will say so
            yield Input(entry.path)
        except OSError as error:  # a link to itself, or into a folder that is forbidden
            message = f"{entry.path} cannot be reached: {error.strerror}."
            yield Input(entry.path, UnreadableMedia(message, "Check its permissions, or where it links to."))
        else:
            if stat.S_ISDIR(mode):
                yield from _walk(entry.path, above | {identity})
            elif stat.S_ISREG(mode):  # sockets, pipes and devices are passed over
                yield Input(entry.path)
