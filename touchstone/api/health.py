"""Whether the service lives, whether it can work, and what it counts: for load balancers and Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from evidence.errors import TouchstoneError
from touchstone.api.access import Administering
from touchstone.api.service import Service, service_of
from worker.metrics import prometheus_text
from worker.scanner import find_detector

router = APIRouter(tags=["health"])
Parts = Annotated[Service, Depends(service_of)]


class Alive(BaseModel):
    """The process answers."""

    status: str


class Ready(BaseModel):
    """Each part that work needs, "ok" or why not; of workers that others start, "elsewhere"."""

    ready: bool
    checks: dict[str, str]


@router.get("/healthz")
def healthz() -> Alive:
    """Whether the process answers."""
    return Alive(status="ok")


@router.get("/readyz", responses={503: {"model": Ready, "description": "Not ready; `checks` says why."}})
def readyz(service: Parts, response: Response) -> Ready:
    """Whether jobs can be accepted and worked on: store, disk, detector, workers."""
    checks = {name: _outcome(check, service) for name, check in _CHECKS.items()}
    ready = all(found in ("ok", _ELSEWHERE) for found in checks.values())
    if not ready:
        response.status_code = 503
    return Ready(ready=ready, checks=checks)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(desk: Administering, request: Request) -> PlainTextResponse:
    """Requests, queue and disk in Prometheus' text format."""
    service = service_of(request)
    text = service.counters.text() + prometheus_text(service.store, service.media.folder)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


_ELSEWHERE = "elsewhere"  # nobody here knows whether they work; the queue's age in the metrics does


def _workers(service: Service) -> str:
    if service.runner is None:
        return _ELSEWHERE
    if not service.runner.running:
        raise TouchstoneError("The workers have stopped.", "Start `touchstone serve` again.")
    return "ok"


_CHECKS: dict[str, Callable[[Service], object]] = {
    "store": lambda service: service.leases.depth(),
    "disk": lambda service: service.quotas.room(),
    "detector": lambda service: find_detector(service.settings),
    "workers": _workers,
}


def _outcome(check: Callable[[Service], object], service: Service) -> str:
    try:
        found = check(service)
    except TouchstoneError as error:
        return error.code  # its sentence may name folders of the server
    return _ELSEWHERE if found == _ELSEWHERE else "ok"
