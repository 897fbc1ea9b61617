"""The pool's side of its child processes: the zygote, a child, and one file being decoded by it."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from evidence import errors
from evidence.errors import DecoderCrashed, DecodeTimeout, MediaError
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, MediaInfo, Pixels, Sampling
from evidence.wire import Broken, Channel, Gone, Message, info_from_wire

START_SECONDS = 60.0
STOP_SECONDS = 2.0
# A frame larger than this gives its shared pages back to the system once it is copied.
KEPT_BYTES = 64 << 20


class Zygote:
    """The process that children are forked from, replaced when it dies. Safe to use from several threads.

    `reader` is what `evidence.inquiry.reader_of` makes there.
    """

    def __init__(self, limits: DecodeLimits, reader: Mapping[str, Any] | None = None) -> None:
        self._limits = limits
        self._reader = reader
        self._lock = threading.Lock()
        self._begin()

    def fork(self) -> Child:
        """A new child, locked down and ready. Raises `DecoderCrashed` when none can be had."""
        with self._lock:
            if self._process.poll() is not None:  # its children ended with it
                self._control.close()
                self._begin()
        ours, theirs = socket.socketpair()
        size_bytes = 3 * self._limits.max_pixels + mmap.PAGESIZE
        with theirs, _nameless_file(size_bytes) as file:
            memory = mmap.mmap(file.fileno(), size_bytes)
            request = {"fork": asdict(self._limits), "bytes": size_bytes}
            channel = Channel(ours)
            try:
                pid = self._ask(request, (theirs.fileno(), file.fileno()))["pid"]
                theirs.close()
                level = channel.receive(START_SECONDS)["level"]
            except (Broken, TimeoutError, KeyError) as problem:
                channel.close()
                raise DecoderCrashed(
                    f"No decoder process could be started: {problem}.",
                    "Run `touchstone doctor`; check free memory and the limits on processes.",
                ) from problem
        self._children.add(pid)
        return Child(pid, channel, memory, str(level))

    def bury(self, child: Child) -> int:
        """Kill a child if it lives and let go of it; the signal that ended it, 0 if none did."""
        child.close()
        if child.pid not in self._children:
            return 0  # that of a process that died: its number may be somebody else's by now
        self._children.discard(child.pid)
        try:
            return int(self._ask({"bury": child.pid})["status"])
        except (Broken, TimeoutError, KeyError):
            return 0

    def close(self) -> None:
        """End the zygote; it kills and buries its children first."""
        self._control.close()
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _begin(self) -> None:
        self._children: set[int] = set()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, str(theirs.fileno()), json.dumps(_import_path())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ONE_THREAD},
                start_new_session=True,  # Ctrl-C is for the pool, which ends its children itself
            )
        self._control = Channel(ours)
        if self._reader is not None:
            self._control.send(self._reader)

    def _ask(self, request: Message, descriptors: tuple[int, ...] = ()) -> Message:
        with self._lock:
            self._control.send(request, descriptors)
            return self._control.receive(START_SECONDS)


class Child:
    """One locked-down process, the channel to it, and the memory it writes frames into."""

    def __init__(self, pid: int, channel: Channel, memory: mmap.mmap, level: str) -> None:
        self.pid = pid
        self.channel = channel
        self.level = level
        self.files = 0
        self._memory = memory

    def copy_frame(self, place: int, height: int, width: int) -> Pixels:
        """The pixels (height, width, 3) at `place`. Raises `Broken` when that lies outside."""
        size = 3 * height * width
        if min(place, height - 1, width - 1) < 0 or place + size > len(self._memory):
            raise Broken("a frame outside the shared memory")
        flat = np.frombuffer(self._memory, dtype=np.uint8, count=size, offset=place)
        pixels = flat.reshape(height, width, 3).copy()
        if size > KEPT_BYTES and hasattr(mmap, "MADV_REMOVE"):
            page = mmap.PAGESIZE
            start = -(-place // page) * page
            self._memory.madvise(mmap.MADV_REMOVE, start, (place + size - start) // page * page)
        return pixels

    def close(self) -> None:
        """Let go of the process; whoever waits for it is woken. The memory goes with the last view."""
        self.channel.close()


class Session:
    """One file on one child: its description, then an iterator over its frames.

    `on_end(child, healthy)` is called once, when the child is done with the file or lost to it;
    it returns the signal that ended a child that is not healthy.
    """

    def __init__(
        self,
        child: Child,
        file: BinaryIO,
        path: str,
        sampling: Sampling,
        *,
        limits: DecodeLimits,
        on_end: Callable[[Child, bool], int],
    ) -> None:
        self.coverage = Coverage()
        self._child: Child | None = child
        self._path = path
        self._seconds = limits.decode_seconds
        self._on_end = on_end
        self._read: list[Frame] = []
        child.files += 1
        with file:
            try:
                request = {"decode": path, "sampling": list(astuple(sampling))}
                child.channel.send(request, [file.fileno()])
            except Broken as problem:
                raise self._lost(problem) from problem

    def describe(self) -> MediaInfo:
        """Wait for the description. A still picture is fetched with it, which frees the child."""
        try:
            info = info_from_wire(self._receive()["info"], self._path)
        except (Broken, KeyError) as problem:
            raise self._lost(problem) from problem
        if info.kind == "image":
            self._read = list(self)
        return info

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._read:
            return self._read.pop()
        if self._child is None:
            raise StopIteration
        child = self._child
        try:
            message = self._receive()
            if "done" in message:
                self._end(healthy=True)
                raise StopIteration
            place, height, width, index, seconds, keyframe = message["frame"]
            pixels = child.copy_frame(int(place), int(height), int(width))
            child.channel.send({"taken": 1})
        except (Broken, KeyError, TypeError, ValueError) as problem:
            raise self._lost(problem) from problem
        return Frame(pixels, int(index), float(seconds), bool(keyframe))

    def close(self) -> None:
        """Stop decoding if it is still going on; the child is kept if it stops soon."""
        if self._child is None:
            return
        try:
            self._child.channel.send({"stop": True})
            while self._child is not None:
                if self._child.channel.receive(STOP_SECONDS).keys() & {"done", "error"}:
                    self._end(healthy=True)
        except (Broken, TimeoutError):
            self._end(healthy=False)

    def _receive(self) -> Message:
        """The child's next word about the file; its errors are raised."""
        if self._child is None:
            raise Gone("the pool was closed")
        try:
            message = self._child.channel.receive(self._seconds)
        except TimeoutError:
            self._end(healthy=False)
            raise too_slow(self._seconds) from None
        seen = message["seen"]
        self.coverage.decoded, self.coverage.expected, self.coverage.errors = (int(n) for n in seen)
        if "error" in message:
            self._end(healthy=True)
            raise told(message["error"])
        return message

    def _lost(self, problem: Exception) -> MediaError:
        return lost(self._end(healthy=False), problem, self._seconds)

    def _end(self, *, healthy: bool) -> int:
        child, self._child = self._child, None
        return 0 if child is None else self._on_end(child, healthy)


def told(error: Sequence[object]) -> MediaError:
    """The error that a child speaks of: its name, what was found, what to do."""
    name, said, advice = error
    return _ERRORS.get(str(name), DecoderCrashed)(str(said), str(advice))


def lost(number: int, problem: Exception, seconds: float) -> MediaError:
    """The error for a child that signal `number` ended, or that no longer speaks our language."""
    if number in _CLOCKS:
        return too_slow(seconds)
    if not isinstance(problem, Gone):
        how = f"answered nonsense ({problem})"
    elif number:
        how = f"was ended by {signal.Signals(number).name}"
    else:
        how = f"was lost ({problem})"
    return DecoderCrashed(
        f"The process that decoded this file {how}.",
        "The file may be hostile or damaged; other files are not affected.",
    )


def too_slow(seconds: float) -> DecodeTimeout:
    """The error for a child that was not done in time."""
    return DecodeTimeout(
        f"Decoding made no progress for {seconds:g} s, the limit.",
        "Raise the time limit in the settings, or convert the file.",
    )


def _nameless_file(size_bytes: int) -> BinaryIO:
    """A file in memory without a name; pages it never touches cost nothing."""
    file: BinaryIO
    if hasattr(os, "memfd_create"):
        file = open(os.memfd_create("touchstone-frames"), "r+b", buffering=0)  # noqa: SIM115 - the caller's
    else:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    file.truncate(size_bytes)
    return file


def _import_path() -> list[str]:
    """Where the zygote finds what this process has imported."""
    return [str(Path(__file__).resolve().parents[1]), *(entry for entry in sys.path if entry)]


_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); "
    "from evidence.zygote import main; main(int(sys.argv[1]))"
)
# Libraries that would start threads at import, which a fork does not carry over.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_CLOCKS = (int(signal.SIGPROF), int(signal.SIGXCPU))
_ERRORS = {kind.__name__: kind for kind in errors.MediaError.__subclasses__()}
