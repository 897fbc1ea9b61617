"""One process that is the whole service: API and supervised workers, on this machine alone by default."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn

from evidence.errors import SettingsError
from touchstone.api.app import create_app
from touchstone.api.service import Service
from worker.embedded import EmbeddedRunner
from worker.settings import Settings
from worker.webhooks import Courier

# Open streams have so long to end when the service does.
_PATIENCE_SECONDS = 3
# A thread that comes back from the disk waits at most so long for its turn; Python's 5 ms outlast the disk.
_TURN_SECONDS = 0.0002
_WAITING = 2048  # connections the system keeps until they are taken


def serve(settings: Settings, *, started: Callable[[str], object]) -> None:
    """Serve until a signal ends it; `started` is told the address once requests are taken.

    Raises SettingsError when the address cannot be used, StoreError when the job store cannot.
    """
    sys.setswitchinterval(_TURN_SECONDS)
    with contextlib.closing(listen(settings.host, settings.port)) as door:
        runner = EmbeddedRunner(settings) if settings.workers and not settings.broker_url else None
        app = create_app(settings, runner=runner)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # names of files are nobody's business
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_PATIENCE_SECONDS,
            lifespan="on",
        )
        with contextlib.nullcontext() if runner else _delivering(app.state.service):
            _Server(config, lambda: started(_address(door))).run(sockets=[door])


class _Server(uvicorn.Server):
    """Says when it is there."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], object]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()


@contextlib.contextmanager
def _delivering(service: Service) -> Iterator[None]:
    """Webhooks sent from here: workers on other machines may have no way out."""
    courier = Courier(service.store, private=service.settings.webhook_private)
    courier.start()
    try:
        yield
    finally:
        courier.stop()
        courier.join(_PATIENCE_SECONDS)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; raises SettingsError where it cannot."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Only where the protocol is named, asyncio sends small answers at once (TCP_NODELAY).
        door = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(_WAITING)
    except OSError as error:
        door.close()
        raise SettingsError(
            f"The address {host} port {port} cannot be listened on: {error.strerror or error}.",
            "Another service may use it: choose another with --port, or 0 for any free one.",
        ) from None
    return door


def _address(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
