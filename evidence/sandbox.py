"""Decode untrusted files in child processes that can do nothing else.

The pool opens a file (so it can say why it cannot), hands the descriptor to a locked-down child, and
gets back a description and frames through shared memory. A file that kills its child costs that
file; the next one gets a new child. Nothing is left behind when either side dies: the memory has no
name, the children see their socket close, and the kernel kills them with their parent.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from evidence.children import Child, Session, Zygote
from evidence.decode import DecodedMedium, decode
from evidence.errors import MediaError
from evidence.inquiry import Reader, Reads, inquire, reader_of
from evidence.limits import DecodeLimits
from evidence.medium import Frame, Sampling
from evidence.source import open_media
from evidence.wire import Message

__all__ = ["DecodedMedium", "DecoderPool"]

FILES_PER_CHILD = 100


class DecoderPool:
    """Decodes media in up to `workers` child processes, each file in one of them.

    A context manager, safe to use from several threads: each open medium has a child of its own,
    and media opened beyond `workers` get children that end with them. A still picture is fetched
    when it is opened and keeps no child. `inline=True` is the same without child processes, for
    tests; systems without Unix sockets have nothing else. With a `reader`, `read` asks it about a file.
    """

    def __init__(
        self,
        limits: DecodeLimits | None = None,
        workers: int = 2,
        *,
        reader: Reader | None = None,
        inline: bool = False,
    ) -> None:
        self._limits = limits or DecodeLimits()
        self._reader = reader
        self._workers = max(1, workers)
        self._inline = inline or not hasattr(socket, "send_fds")
        self._reads: Reads | None = None
        self._zygote: Zygote | None = None
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> DecoderPool:
        if not self._inline:
            self._zygote = Zygote(self._limits, None if self._reader is None else self._reader.to_wire())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all children; a medium that is still being read reports `decoder_crashed`."""
        with self._lock:
            zygote, self._zygote = self._zygote, None
            children = [*self._idle, *self._busy]
            self._idle, self._busy = [], set()
        for child in children:
            child.close()
        if zygote is not None:
            zygote.close()

    @property
    def level(self) -> str:
        """How far a child is locked down: "seccomp+rlimits", "rlimits", or "none" inline."""
        if self._inline:
            return "none"
        child = self._take_child()
        self._settle(child, healthy=True)
        return child.level

    def open(self, path: str | os.PathLike[str], sampling: Sampling | None = None) -> DecodedMedium:
        """Begin to decode a file. Raises the `MediaError` that names what is wrong with it.

        Read the frames to their end or close the medium; until then a child is kept for it.
        """
        return self._begin(os.fspath(path), sampling or Sampling()).finish()

    def read(self, path: str | os.PathLike[str], *beside: str | os.PathLike[str]) -> Message:
        """What the pool's reader says of a file, and of files that lie beside it.

        Raises the `MediaError` that names why it says nothing.
        """
        with ExitStack() as files:
            opened = [files.enter_context(open_media(name, self._limits)) for name in (path, *beside)]
            return self.ask(opened, os.fspath(path))

    def ask(self, files: Sequence[BinaryIO], name: str) -> Message:
        """The same of files that are open, the medium first; a socket among them reaches the reader too."""
        assert self._reader is not None, "the pool was given no reader"
        if self._inline:
            self._reads = self._reads or reader_of(self._reader.target, self._reader.arguments)
            return self._reads(files, name)
        return inquire(self._take_child(), files, name, self._settle, limits=self._limits)

    def stream(
        self, paths: Iterable[str | os.PathLike[str]], sampling: Sampling | None = None
    ) -> Iterator[tuple[str, DecodedMedium | MediaError]]:
        """Each path with its medium, or with the error in its place, in order, `workers` files ahead.

        A medium is closed when the next one is asked for. What is held does not grow with the
        number of paths: the children may run a few frames ahead, no more.
        """
        names = (os.fspath(path) for path in paths)
        ahead: deque[tuple[str, _Begun]] = deque()

        def fill() -> None:
            while len(ahead) < self._workers and (name := next(names, None)) is not None:
                ahead.append((name, self._begin_or_fail_later(name, sampling or Sampling())))

        try:
            fill()
            while ahead:
                name, begun = ahead.popleft()
                try:
                    medium = begun.finish()
                except MediaError as error:
                    fill()
                    yield name, error
                    continue
                with medium:
                    fill()
                    yield name, medium
        finally:
            for _, begun in ahead:
                begun.abandon()

    def _begin(self, path: str, sampling: Sampling) -> _Begun:
        """Have a child start on a file; inline, nothing happens yet."""
        if self._inline:
            return _Begun(lambda: self._decode_inline(path, sampling))
        file = open_media(path, self._limits)
        try:
            child = self._take_child()
        except BaseException:
            file.close()
            raise
        session = Session(child, file, path, sampling, limits=self._limits, on_end=self._settle)

        def finish() -> DecodedMedium:
            return DecodedMedium(session.describe(), session, session.coverage, session.close)

        return _Begun(finish, session.close)

    def _begin_or_fail_later(self, path: str, sampling: Sampling) -> _Begun:
        try:
            return self._begin(path, sampling)
        except MediaError as error:
            failure = error

        def fail() -> DecodedMedium:
            raise failure

        return _Begun(fail)

    def _decode_inline(self, path: str, sampling: Sampling) -> DecodedMedium:
        file = open_media(path, self._limits)
        try:
            medium = decode(file, path, sampling, self._limits)
        except BaseException:
            file.close()
            raise

        def frames() -> Iterator[Frame]:
            with closing(file):
                yield from medium.frames()

        if medium.info.kind == "image":
            file.close()
        return DecodedMedium(medium.info, frames(), medium.coverage, file.close)

    def _take_child(self) -> Child:
        """An idle child, or a new one."""
        with self._lock:
            zygote = self._zygote
            child = self._idle.pop() if self._idle else None
        if zygote is None:
            raise RuntimeError("The decoder pool is not open; use it as a context manager.")
        child = child or zygote.fork()
        with self._lock:
            self._busy.add(child)
        return child

    def _settle(self, child: Child, healthy: bool) -> int:
        """Take a child back, or bury it when it is lost, worn out or one too many; its last signal."""
        with self._lock:
            self._busy.discard(child)
            zygote = self._zygote
            keep = healthy and child.files < FILES_PER_CHILD and len(self._idle) < self._workers
            if keep and zygote is not None:
                self._idle.append(child)
                return 0
        if zygote is None:
            child.close()
            return 0
        return zygote.bury(child)


@dataclass(frozen=True)
class _Begun:
    """A file that decoding has begun on: wait for its description, or let it go."""

    finish: Callable[[], DecodedMedium]
    abandon: Callable[[], None] = lambda: None
