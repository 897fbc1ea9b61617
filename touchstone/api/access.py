"""Who asks, and what for: API keys, scopes and rates. Every route under /v1 names the scope it needs.

While no key was ever made and the server listens on this machine alone, everybody who reaches it is the
tenant "local" and needs no key. The first key ends that.
"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from evidence.errors import KeyRefused, ScopeMissing
from touchstone.api.service import Desk, Service, service_of
from touchstone.api.shield import LOOPBACK
from worker.jobs.api_keys import SCOPES

LOCAL = "local"
COOKIE = "touchstone_key"
_LOOK_SECONDS = 1.0

_bearer = HTTPBearer(auto_error=False, description="An API key, ts_<id>_<secret>: `touchstone keys add`.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="The same key, as the page keeps it.")

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Cookie = Annotated[str | None, Depends(_cookie)]


class Needs:
    """A dependency that admits whoever has a scope, and gives the desk of their tenant."""

    def __init__(self, scope: str) -> None:
        assert scope in SCOPES
        self.scope = scope

    async def __call__(self, request: Request, bearer: Bearer, cookie: Cookie) -> Desk:
        """Raises KeyRefused, ScopeMissing, TooMany."""
        service = service_of(request)
        text = bearer.credentials if bearer is not None else cookie
        scopes: tuple[str, ...] = SCOPES
        if text is None:
            if not await _open_to_all(service):
                raise KeyRefused(
                    "This server asks for an API key.",
                    "Send `Authorization: Bearer ts_...`; `touchstone keys add` makes one.",
                )
            tenant = LOCAL
        else:
            try:
                key = await run_in_threadpool(service.keys.check, text)
            except KeyRefused:
                service.guesses.take(request.client.host if request.client else "")
                raise
            tenant, scopes = key.tenant, key.scopes
        service.rates.take(tenant)
        if self.scope not in scopes and "admin" not in scopes:
            raise ScopeMissing(
                f"This key has the scopes {', '.join(scopes)}; {self.scope} is needed here.",
                "Use another key, or have one made with `touchstone keys add`.",
            )
        return Desk(service, tenant, admin="admin" in scopes)

    async def of(self, request: Request) -> Desk:
        """The same for a route that reads its request itself."""
        return await self(request, await _bearer(request), await _cookie(request))


async def _open_to_all(service: Service) -> bool:
    """Whether no key is needed; that there is none is looked up once a second, that there is one stays."""
    settings = service.settings
    # Further names mean a proxy in front, and then this machine is not alone any more.
    if settings.host not in LOOPBACK or settings.hosts or service.locked:
        return False
    now = time.monotonic()
    if now - service.looked_at > _LOOK_SECONDS:
        service.locked = await run_in_threadpool(service.keys.any)
        service.looked_at = now
    return not service.locked


READ, WRITE, SIGN, ADMIN = Needs("read"), Needs("write"), Needs("sign"), Needs("admin")
Reading = Annotated[Desk, Depends(READ)]
Writing = Annotated[Desk, Depends(WRITE)]
Signing = Annotated[Desk, Depends(SIGN)]
Administering = Annotated[Desk, Depends(ADMIN)]
