"""What stands before every route: request ids, Host and Origin, the size of bodies, headers, last resort.

A server on this machine is reached by every page a browser shows, so a request that changes something must
not come from another site's page, and every request must name this server as its host: that also stops
names that are re-pointed at 127.0.0.1.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evidence.errors import ForeignPage, RequestError, RequestTooLarge, TouchstoneError
from touchstone.api import problems
from touchstone.api.metrics import Counters

Direct = Callable[[Request], Awaitable[Response]]
log = logging.getLogger("touchstone.api")

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Shield:
    """ASGI middleware. `hosts` may be named as this server; empty or "*" in it allows any.

    Bodies over `max_body` bytes are refused, but for the `streamed` (method, path)s that count for
    themselves. `direct` ones are answered from here: the framework's way to a route and back takes it longer
    than a small upload takes us.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: tuple[str, ...],
        max_body: int,
        streamed: frozenset[tuple[str, str]],
        direct: Mapping[tuple[str, str], Direct],
        counters: Counters,
    ) -> None:
        self.direct = direct
        self.app, self.hosts, self.max_body = app, hosts, max_body
        self.streamed, self.counters = streamed, counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever happens in it, the answer is a response."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0
        direct = self.direct.get((scope["method"], scope["path"]))

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found = MutableHeaders(scope=message)
                found["X-Request-Id"] = request_id
                for name, value in HEADERS.items():
                    found.setdefault(name, value)
                if scope["path"].startswith("/v1"):
                    found.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._admit(scope, headers)
            receive = self._counted(scope, headers, receive)
            if direct is None:
                await self.app(scope, receive, dressed)
            else:
                answer = await _answered(Request(scope, receive), direct)
                await answer(scope, receive, dressed)
        except TouchstoneError as error:
            if status:
                raise
            answer = problems.of_error(error, path=scope["path"], request_id=request_id)
            await answer(scope, receive, dressed)
        except Exception:
            log.exception("%s %s %r failed", request_id, scope["method"], scope["path"])
            if status:
                raise
            await problems.internal(path=scope["path"], request_id=request_id)(scope, receive, dressed)
        finally:
            elsewhere = str(scope["path"]) if direct else "other"
            route = getattr(scope.get("route"), "path_format", elsewhere)
            self.counters.seen(scope["method"], route, status, time.perf_counter() - started)

    def _admit(self, scope: Scope, headers: Headers) -> None:
        """Raise ForeignPage for another site's page or a name that is not ours, RequestError for no path."""
        if _CONTROL.search(scope["path"]):
            raise RequestError("The path holds control characters.", "Ask for a path as it was given.")
        host = headers.get("host", "")
        if self.hosts and "*" not in self.hosts and _name(host) not in self.hosts:
            raise ForeignPage(
                f"This server is not {_name(host)!r}.",
                "Use its own name, or add the name to TOUCHSTONE_HOSTS.",
            )
        if scope["method"] in SAFE:
            return
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host.lower():
            raise ForeignPage(
                f"A page of {origin} may not ask for this.", "Use the page that this server shows."
            )
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise ForeignPage(
                "A page of another site may not ask for this.", "Use the page that this server shows."
            )

    def _counted(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """`receive`, which raises once the body is over the cap."""
        if (scope["method"], scope["path"]) in self.streamed:
            return receive
        limit = self.max_body
        announced = headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > limit:
            raise _too_large(int(announced), limit)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:  # an HTTPException: FastAPI makes 400 of any other while it reads a body
                raise HTTPException(413, str(_too_large(seen, limit)))
            return message

        return counted


def host_names(host: str, named: str) -> tuple[str, ...]:
    """The names this server answers to: those of the setting, and the loopback's if it listens there.

    Empty, any name, for one that others reach and that has no names set: there everybody needs a key.
    """
    own = LOOPBACK if host in LOOPBACK else ()
    return (*own, *(name.strip().lower() for name in named.split(",") if name.strip()))


async def _answered(request: Request, direct: Direct) -> Response:
    try:
        return await direct(request)
    except problems.FORESEEN as error:
        return problems.answer(request, error)


def _name(host: str) -> str:
    """The host without its port: "[::1]:80" -> "::1"."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    """The host and port of an origin; empty for "null" and for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _too_large(found: int, allowed: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The request has at least {found} bytes; {allowed} are allowed here.", "Send less at once."
    )
