"""Generations: have a shipped generator make fakes, for test sets and for seeing what it can do."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from evidence.errors import NotThere
from touchstone.api import events
from touchstone.api.accepting import LANES, answered
from touchstone.api.access import Reading, Writing
from touchstone.api.events import After, LastEventId
from touchstone.api.files import Sent
from touchstone.api.pages import Cursor, Limit, cursor_behind, place_of
from touchstone.api.scans import IdempotencyKey, Prefer
from touchstone.api.schemas import (
    Deleted,
    Generation,
    Generations,
    MadeFile,
    Progress,
    State,
    moment,
)
from touchstone.api.service import Desk
from touchstone.api.views import PRIORITIES, failure
from touchstone.api.wishing import body, read_wish
from worker.generating import MIMES, generator
from worker.jobs.model import Job, JobState, NewJob, Shard
from worker.jobs.search import Search, newest_progress
from worker.requests import generate_job

router = APIRouter(prefix="/v1/generations", tags=["generations"])
KIND = "generate"


@router.post("", status_code=202, responses={200: {"model": Generation}}, openapi_extra=body())
async def create_generation(
    desk: Writing,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = "",
    prefer: Prefer = "",
) -> Generation:
    """Have fakes made: pictures or a film, from noise, classes, captions or pictures that are handed in.

    Those come along as `input` and `mask` of a form, or are named by their sha256 as JSON. `manifest.jsonl`
    among the files says of each what it is.
    """
    wish = await read_wish(request, desk)

    def asked() -> NewJob:
        made = wish.request(generator(desk.service.settings, wish.model))
        days = desk.service.settings.retention_days
        return generate_job(
            made,
            tenant=desk.tenant,
            lane=LANES[wish.priority],
            key=idempotency_key,
            client_ref=wish.client_ref,
            retention_seconds=days * 86_400 if wish.retention_seconds is None else wish.retention_seconds,
        )

    job, _ = await desk.service.intake.take(await run_in_threadpool(asked))
    job = await answered(request, response, desk, job, router.prefix)
    return await run_in_threadpool(_view, desk, job)


@router.get("")
def list_generations(
    desk: Reading, limit: Limit = 50, cursor: Cursor = None, state: State | None = None
) -> Generations:
    """The tenant's generations, newest first."""
    wanted = None if state is None else JobState(state)
    found = desk.find(Search(KIND, state=wanted, before=place_of(cursor), limit=limit))
    return Generations(
        items=[_seen(desk, job, shard) for job, shard in found],
        next=cursor_behind([job for job, _ in found], limit),
    )


@router.get("/{generation}")
def get_generation(desk: Reading, generation: str) -> Generation:
    """A generation as it stands, with its files."""
    return _view(desk, desk.job(generation, KIND))


@router.delete("/{generation}")
def delete_generation(desk: Writing, generation: str) -> Deleted:
    """Take a generation back, with its files."""
    desk.delete(desk.job(generation, KIND))
    return Deleted(id=generation)


@router.post("/{generation}/cancel")
def cancel_generation(desk: Writing, generation: str) -> Generation:
    """Stop a generation that has not ended."""
    desk.job(generation, KIND)
    return _view(desk, desk.store.cancel(generation, desk.tenant))


@router.get("/{generation}/events", response_class=Response, responses=events.STREAM)
async def generation_events(
    desk: Reading, generation: str, after: After = 0, last_event_id: LastEventId = ""
) -> Response:
    """What happens to a generation, as it happens."""
    return await events.stream(desk, generation, KIND, after, last_event_id)


@router.get(
    "/{generation}/files/{file}",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}} for kind in sorted(MIMES.values())
            },
        }
    },
)
def generation_file(desk: Reading, generation: str, file: str) -> Sent:
    """A picture, a film, or the manifest of all of them."""
    job = desk.job(generation, KIND)
    made = next((one for one in _files(desk.first_shard(job)) if one["name"] == file), None)
    if made is None:
        raise NotThere(f"The generation {generation} has no such file.", "Its `files` say what there is.")
    path = desk.service.media.artefact(job.id, file)
    return Sent(path, media_type=made["mime"], headers={"Cache-Control": "private, max-age=3600"})


def _view(desk: Desk, job: Job) -> Generation:
    return _seen(desk, job, desk.first_shard(job))


def _seen(desk: Desk, job: Job, shard: Shard | None) -> Generation:
    own = f"/v1/generations/{job.id}"
    cancel = None if job.state.ended else f"{own}/cancel"
    running = job.state is JobState.RUNNING
    known = newest_progress(desk.store.engine, [job.id]).get(job.id) if running else None
    state: Literal["queued", "running", "done", "failed", "cancelled"] = job.state.value
    return Generation(
        id=job.id,
        state=state,
        created=moment(job.created),
        finished=None if job.finished is None else moment(job.finished),
        model=job.request["model"],
        count=job.request["count"],
        seed=job.request["seed"],
        asked=job.request.get("conditions", {}),
        client_ref=job.client_ref,
        priority=PRIORITIES[job.lane],
        progress=Progress(done=known["done"], of=known["of"]) if known else None,
        error=failure(shard),
        files=[MadeFile(**made, url=f"{own}/files/{made['name']}") for made in _files(shard)],
        links={
            "self": own,
            "events": f"{own}/events",
            "cancel": cancel,
        },
    )


def _files(shard: Shard | None) -> list[dict[str, Any]]:
    return list(((shard.result if shard is not None else None) or {}).get("files", ()))
