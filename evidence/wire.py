"""What the decoder pool and its children say to each other: JSON over a Unix socket, never pickle.

A child that was taken over by a hostile file can send whatever it likes, so nothing it sends is
executed, and what does not parse is a crash of that child.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from evidence.medium import JpegHistory, MediaInfo

MAX_MESSAGE_BYTES = 4 << 20
_MAX_DESCRIPTORS = 8

Message = dict[str, Any]


class Broken(Exception):
    """Raised when the other side sends what is no message; the base of `Gone`."""


class Gone(Broken):
    """Raised when the other side has closed the channel, or died."""


class Channel:
    """One end of a socket pair, carrying JSON objects and, towards the child, open descriptors."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._received = bytearray()
        self._descriptors: deque[int] = deque()
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)
        self._waiting = threading.Lock()

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one message. Raises `Gone` when nobody is left to read it."""
        body = json.dumps(message).encode()
        data = len(body).to_bytes(4, "little") + body
        try:
            sent = socket.send_fds(self._socket, [data], list(descriptors)) if descriptors else 0
            self._socket.sendall(data[sent:])
        except OSError as problem:
            raise Gone(str(problem)) from problem

    def receive(self, seconds: float | None = None) -> Message:
        """The next message. Raises `TimeoutError` after `seconds` without one, `Gone` at the end."""
        with self._waiting:
            while (message := self._parse()) is None:
                if not self._poll.poll(None if seconds is None else seconds * 1000):
                    raise TimeoutError(f"nothing was heard for {seconds:g} s")
                self._read()
        return message

    def take_descriptor(self) -> int:
        """The oldest descriptor received and not yet taken; the caller closes it."""
        return self._descriptors.popleft()

    def close(self) -> None:
        """Close this end; a thread that waits in `receive` gets `Gone` first."""
        with suppress(OSError):  # the other side may have been faster
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._waiting:
            self.forget()

    def forget(self) -> None:
        """Close this process's copy alone: what a fork does with a channel that is its parent's."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 16, _MAX_DESCRIPTORS)
        except OSError as problem:
            raise Gone(str(problem)) from problem
        self._descriptors.extend(descriptors)
        if not data:
            raise Gone("the other side has gone")
        self._received += data

    def _parse(self) -> Message | None:
        """The first whole message received, or `None`."""
        if len(self._received) < 4:
            return None
        size = int.from_bytes(self._received[:4], "little")
        if size > MAX_MESSAGE_BYTES:
            raise Broken(f"a message of {size} bytes")
        if len(self._received) < 4 + size:
            return None
        body = bytes(self._received[4 : 4 + size])
        del self._received[: 4 + size]
        try:
            message = json.loads(body)
        except ValueError as problem:
            raise Broken("a message that is no JSON") from problem
        if not isinstance(message, dict):
            raise Broken("a message that is no object")
        return message


def info_to_wire(info: MediaInfo) -> Message:
    """`MediaInfo` as a JSON object."""
    return asdict(info)


def info_from_wire(message: Message, path: str) -> MediaInfo:
    """`MediaInfo` from a child's JSON, with the path that the pool knows. Raises `Broken` on nonsense."""
    try:
        history = message.pop("jpeg")
        jpeg = None
        if history is not None:
            tables = tuple(tuple(int(value) for value in table) for table in history["tables"])
            jpeg = JpegHistory(
                tables, str(history["sampling"]), int(history["quality"]), bool(history["progressive"])
            )
        seams = tuple((int(frames), int(decoded)) for frames, decoded in message.pop("seams"))
        info = MediaInfo(**{**message, "path": path, "jpeg": jpeg, "seams": seams})
    except (KeyError, TypeError, ValueError) as problem:
        raise Broken(f"a description that is none: {problem}") from problem
    numbers = (info.size_bytes, info.width, info.height, info.rotation)
    words = (info.sha256, info.kind, info.mime, info.codec)
    if not all(type(value) is int for value in numbers) or not all(type(value) is str for value in words):
        raise Broken("a description with wrong types")
    return info
