"""A web server of a test's own, with one medium and every bad habit."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.worker_service import Shop


class Site(ThreadingHTTPServer):
    """A server with one picture and every bad habit; `asked` are the heads of the requests.

    No thread of it outlives `serving`: what it had to say would fall into another test.
    """

    daemon_threads = False
    block_on_close = True

    def __init__(self, picture: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.picture = picture
        self.asked: list[dict[str, str]] = []
        self.released = threading.Event()
        self.sent_all = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing of a client that left."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def at(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_address[1]}{path}"


class _Page(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        path, picture = self.path, self.server.picture
        if path == "/red.png":
            self._say(200, picture, {"Set-Cookie": "a=b"})
        elif path == "/moved":
            self._say(302, b"", {"Location": "/red.png"})
        elif path == "/round":
            self._say(302, b"", {"Location": "/round"})
        elif path.startswith("/to/"):
            self._say(302, b"", {"Location": path.removeprefix("/to/")})
        elif path == "/large":
            self._say(200, b"", {"Content-Length": str(10**12)})
        elif path == "/endless":
            self._head(200, {})
            while not self.server.released.is_set():
                try:
                    self.wfile.write(picture)
                except OSError:
                    return
        elif path == "/page.html":
            self._say(200, b"<!doctype html><title>no picture</title>" + 9_000 * b" ")
        elif path == "/cut":
            self._say(200, picture[:100], {"Content-Length": str(len(picture))})
        elif path == "/slow":
            self._head(200, {"Content-Length": str(len(picture))})
            for byte in picture:
                if self.server.released.wait(0.05):
                    return
                self.wfile.write(bytes([byte]))
            self.server.sent_all.set()
        else:
            self._say(404, b"")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)


@contextmanager
def serving(server: Site) -> Iterator[Site]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def incoming(shop: Shop) -> list[Path]:
    """What lies in the media store and is not kept yet."""
    return list((shop.media.folder / "incoming").iterdir())
