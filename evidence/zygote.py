"""The process that decoder children are forked from, and what a child does.

The zygote is started fresh, imports everything that decodes, runs no threads and parses nothing;
forking it takes milliseconds where a new interpreter takes half a second, and is safe where forking
a process with ONNX Runtime's threads is not. A child locks itself down, then decodes one file after
another from descriptors it is handed, and writes frames into memory it shares with the pool. A room
above may have it read files in another way too: see `evidence.inquiry`.

Started by `evidence.sandbox` as `main(descriptor)`; ends when that descriptor's other side closes.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import signal
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

import numpy as np

from evidence.errors import DecoderCrashed, LimitExceeded, MediaError
from evidence.inquiry import Reads, reader_of
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, Sampling
from evidence.wire import Channel, Gone, Message, info_to_wire

# A child runs this far ahead of whoever takes its frames.
MAX_FRAMES_AHEAD = 4
MAX_BYTES_AHEAD = 64 << 20
# What Pillow, NumPy, PyAV and Python import only when a file makes them.
_IMPORTED_LATE = (
    "PIL.MpoImagePlugin",
    "numpy.ma",
    "av.subtitles.stream",
    *(f"encodings.{name}" for name in ("latin_1", "ascii", "utf_16", "utf_16_le", "utf_16_be", "utf_32")),
)


def main(descriptor: int) -> None:
    """Fork children as told until the other side of the socket `descriptor` closes."""
    control = Channel(socket.socket(fileno=descriptor))
    _import_decoders()
    gc.freeze()
    pids: set[int] = set()
    reads: Reads | None = None
    try:
        while True:
            request = control.receive()
            if "reader" in request:
                reads = reader_of(request["reader"], request["arguments"])
            elif "fork" in request:
                pid = _fork(request, control, reads)
                pids.add(pid)
                control.send({"pid": pid})
            elif request["bury"] in pids:
                pids.remove(request["bury"])
                control.send({"status": _bury(request["bury"])})
    except Gone:
        for pid in pids:
            _bury(pid)


def _import_decoders() -> None:
    """Import all that a child may need, since a child can open no file any more."""
    import cv2
    from PIL import Image

    for name in ("evidence.decode", "evidence.lockdown", *_IMPORTED_LATE):
        importlib.import_module(name)
    cv2.setNumThreads(1)
    Image.preinit()


def _fork(request: Message, control: Channel, reads: Reads | None) -> int:
    """Fork one child for the socket and the memory that came with the request; returns its pid."""
    end, memory = control.take_descriptor(), control.take_descriptor()
    pid = os.fork()
    if pid == 0:
        control.forget()
        limits = DecodeLimits(**request["fork"])
        _live(socket.socket(fileno=end), memory, request["bytes"], limits=limits, reads=reads)
    os.close(end)
    os.close(memory)
    return pid


def _bury(pid: int) -> int:
    """Kill a child; the signal that ended it, which is its own if it was dying already."""
    os.kill(pid, signal.SIGKILL)  # an unburied child keeps its pid
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _live(
    end: socket.socket, memory: int, size_bytes: int, *, limits: DecodeLimits, reads: Reads | None
) -> NoReturn:
    """The whole life of a child; never returns into the zygote's code."""
    try:
        _Child(Channel(end), mmap.mmap(memory, size_bytes), limits, reads).serve()
    finally:
        os._exit(0)


class _Child:
    """Decodes what it is told, one file at a time, into the shared memory."""

    def __init__(
        self, channel: Channel, memory: mmap.mmap, limits: DecodeLimits, reads: Reads | None
    ) -> None:
        from evidence.lockdown import lock_down

        self._reads = reads
        self._channel = channel
        self._memory = np.frombuffer(memory, dtype=np.uint8)
        self._limits = limits
        self._held: deque[tuple[int, int]] = deque()  # places of frames not yet taken, oldest first
        self._stopped = False
        # The shared memory counts as the child's address space but not as what decoding may take.
        level = lock_down(limits.child_memory_bytes + len(memory), int(limits.max_seconds))
        self._threads = 0 if "seccomp" in level else 1
        channel.send({"level": level})

    def serve(self) -> None:
        """Decode file after file until the pool closes the channel."""
        try:
            while True:
                message = self._channel.receive()
                if "decode" in message:
                    self._decode(message)
                elif "read" in message:
                    self._read(message)
                self._alarm(0)
        except Gone:
            return

    def _decode(self, message: Message) -> None:
        """One file: its description, its frames, and how it ended."""
        from evidence.decode import decode

        self._stopped = False
        self._held.clear()
        self._alarm(self._limits.decode_seconds)
        coverage = Coverage()
        with self._failures(coverage):
            with os.fdopen(self._channel.take_descriptor(), "rb", buffering=0) as file:
                sampling = Sampling(*message["sampling"])
                medium = decode(file, message["decode"], sampling, self._limits, self._threads)
                coverage = medium.coverage
                self._channel.send({"info": info_to_wire(medium.info), "seen": _counts(coverage)})
                for frame in medium.frames():
                    self._hand_over(frame, coverage)
                    if self._stopped:
                        break
            self._channel.send({"done": True, "seen": _counts(coverage)})

    def _read(self, message: Message) -> None:
        """One file, or a file and what lies beside it, as the reader of a room above reads it."""
        assert self._reads is not None
        self._alarm(message["seconds"])
        with ExitStack() as files, self._failures(Coverage()):
            opened = [
                files.enter_context(os.fdopen(self._channel.take_descriptor(), "rb", buffering=0))
                for _ in range(message["files"])
            ]
            answer = self._reads(opened, message["read"])
            self._channel.send({"answer": answer})

    @contextmanager
    def _failures(self, coverage: Coverage) -> Iterator[None]:
        """What goes wrong inside the block is told to the pool: this file is lost, the child is not."""
        try:
            yield
        except MediaError as error:
            self._fail(error, coverage)
        except MemoryError:
            message_of_it = f"Decoding takes more than {self._limits.child_memory_bytes:,} bytes of memory."
            self._fail(LimitExceeded(message_of_it, "Raise the memory limit in the settings."), coverage)
        except Gone:
            raise
        except Exception as problem:  # a fault of ours
            said = f"The decoder failed on this file: {type(problem).__name__}: {problem}."
            self._fail(DecoderCrashed(said, "Please report it."), coverage)

    def _fail(self, error: MediaError, coverage: Coverage) -> None:
        said = [type(error).__name__, error.message[:2000], error.advice[:2000]]
        self._channel.send({"error": said, "seen": _counts(coverage)})

    def _hand_over(self, frame: Frame, coverage: Coverage) -> None:
        """Copy a frame into the shared memory as soon as there is room, and say where it lies."""
        size = frame.pixels.nbytes
        self._alarm(0)  # waiting for room is not decoding
        while (place := self._place(size)) is None and not self._stopped:
            self._obey(self._channel.receive())
        self._alarm(self._limits.decode_seconds)
        if place is None:
            return
        target = self._memory[place : place + size].reshape(frame.pixels.shape)
        np.copyto(target, frame.pixels)
        self._held.append((place, place + size))
        height, width = frame.pixels.shape[:2]
        where = [place, height, width, frame.index, frame.time_seconds, frame.keyframe]
        self._channel.send({"frame": where, "seen": _counts(coverage)})

    def _place(self, size: int) -> int | None:
        """The lowest free place for `size` bytes, so that few pages are ever touched; `None` when full."""
        if size > len(self._memory):
            raise LimitExceeded(
                f"A frame takes {size:,} bytes; the decoder may hand over {len(self._memory):,}.",
                "Raise the pixel limit in the settings.",
            )
        ahead = sum(end - start for start, end in self._held)
        if self._held and (len(self._held) >= MAX_FRAMES_AHEAD or ahead + size > MAX_BYTES_AHEAD):
            return None
        place = 0
        for start, end in sorted(self._held):
            if start - place >= size:
                break
            place = end
        return place if place + size <= len(self._memory) else None

    def _obey(self, message: Message) -> None:
        """A word from the pool while a file is being decoded."""
        if "taken" in message:
            self._held.popleft()
        self._stopped |= "stop" in message

    def _alarm(self, seconds: float) -> None:
        """Die of SIGPROF after so many seconds of processor time; 0 calls it off."""
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _counts(coverage: Coverage) -> list[int]:
    return [coverage.decoded, coverage.expected, coverage.errors]
