"""A cable to a server that can be cut: what is sent then goes nowhere, and nobody is told so."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType

_PIECE_BYTES = 65_536
_LOOK_SECONDS = 0.1


class Cable:
    """Passes on what reaches `port` of this machine to the server on the Unix socket `server`.

    A connection that was there during a cut stays dead for ever, without an end: so it is when a firewall
    has forgotten it. New ones go through once the cable is mended.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._whole = threading.Event()
        self._whole.set()
        self._open: list[_Strand] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where clients connect."""
        port: int = self._listening.getsockname()[1]
        return port

    def cut(self) -> None:
        """Pass nothing on any more."""
        self._whole.clear()
        for strand in self._open:
            strand.dead.set()

    def mend(self) -> None:
        """Pass on what new connections send."""
        self._whole.set()

    def __enter__(self) -> Cable:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        # A thread that waits in accept() is only woken by a connection.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            self._thread.join()
        self._listening.close()
        for strand in self._open:
            strand.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            if self._closed.is_set():
                client.close()
                return
            strand = _Strand(client, self._server)
            self._open.append(strand)
            if self._whole.is_set():
                strand.start()


class _Strand:
    """One connection through the cable; both its ends are closed when either is, unless it is dead."""

    def __init__(self, client: socket.socket, server: Path) -> None:
        self.dead = threading.Event()
        self._client, self._path = client, server
        self._server = socket.socket(socket.AF_UNIX)
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        try:
            self._server.connect(str(self._path))
        except OSError:  # the server is down: so is the connection
            self.close()
            return
        for a, b in ((self._client, self._server), (self._server, self._client)):
            a.settimeout(_LOOK_SECONDS)
            self._threads.append(threading.Thread(target=self._pass_on, args=(a, b), daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.dead.set()
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        while not self.dead.is_set():
            try:
                piece = source.recv(_PIECE_BYTES)
                if piece and not self.dead.is_set():
                    target.sendall(piece)
                    continue
            except TimeoutError:
                continue
            except OSError:
                piece = b""
            if not piece:
                break
        if not self.dead.is_set():
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
