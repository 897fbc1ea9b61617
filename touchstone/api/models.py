"""What the service has and allows: installed models, limits, and what a tenant has used."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from exports.registry import ModelEntry
from exports.slots import slots_in
from exports.wishes import films, takes
from touchstone.api.access import Reading
from worker.scanner import installed_models

router = APIRouter(prefix="/v1", tags=["models"])


class Model(BaseModel):
    """A row of models.json: what the model is and what its maker measured; `card` is Markdown.

    `takes` are the wishes that POST /v1/generations takes for a generator, `films` the films it makes.
    """

    name: str
    version: str
    kind: str
    file: str
    sha256: str
    size_bytes: int
    default: bool
    task: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    opset: int
    tags: dict[str, str]
    training: dict[str, Any]
    metrics: dict[str, Any]
    calibration: dict[str, Any] | None
    licence: str
    card: str
    takes: list[str]
    films: list[str]


class Models(BaseModel):
    """Every installed model."""

    items: list[Model]


class Limits(BaseModel):
    """What one request may cost before it is refused."""

    max_bytes: int
    max_pixels: int
    max_frames: int
    max_seconds: float
    max_body_bytes: int
    wait_seconds: float
    requests_per_minute: int
    jobs_per_day: int
    waiting_jobs: int
    signing: bool


class Usage(BaseModel):
    """How many jobs the tenant has, by kind and state, and submitted in the last 24 hours."""

    tenant: str
    jobs: dict[str, dict[str, int]]
    last_day: int


@router.get("/models")
def models(desk: Reading) -> Models:
    """The installed detectors and generators."""
    return Models(items=[_model(entry) for entry in installed_models(desk.service.settings)])


@router.get("/limits")
def limits(desk: Reading) -> Limits:
    """The limits in force; 0 requests or jobs is no limit."""
    settings = desk.service.settings
    return Limits(**{name: getattr(settings, name) for name in Limits.model_fields})


@router.get("/usage")
def usage(desk: Reading) -> Usage:
    """What the tenant has used."""
    jobs: dict[str, dict[str, int]] = {}
    for (kind, state), count in desk.counts().items():
        jobs.setdefault(kind, {})[state] = count
    return Usage(
        tenant=desk.tenant, jobs=jobs, last_day=sum(desk.counts(desk.store.clock() - 86_400).values())
    )


def _model(entry: ModelEntry) -> Model:
    slots = slots_in(entry) if entry.kind == "generator" else {}
    taken = takes(entry, slots) if slots else []
    return Model(**entry.to_dict(), takes=taken, films=list(films(slots)))
