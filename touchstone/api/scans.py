"""Scans: hand in a medium, ask how it stands, read what was found, and take it back."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool

from evidence.errors import UsageError
from touchstone.api import views
from touchstone.api.accepting import Asked, answered, finished, scan_of, take_scan
from touchstone.api.access import WRITE, Reading, Writing
from touchstone.api.pages import Cursor, Limit, cursor_behind, place_of
from touchstone.api.schemas import (
    ClientRef,
    Deleted,
    Line,
    Name,
    Options,
    Scan,
    ScanForm,
    ScanNamed,
    Scans,
    State,
    Taken,
)
from touchstone.api.service import Desk
from touchstone.api.uploads import FILE_FIELD
from worker.jobs.model import Job, JobState, NewJob
from worker.jobs.search import Search
from worker.requests import ScanRequest

router = APIRouter(prefix="/v1/scans", tags=["scans"])
KIND = "scan"
_MOST_HEADER = 200

IdempotencyKey = Annotated[
    str,
    Header(
        max_length=_MOST_HEADER,
        description="Asking again with the same key gives the same scan, never a second.",
    ),
]
Prefer = Annotated[
    str,
    Header(
        max_length=_MOST_HEADER,
        description="`wait=N` holds the answer back up to N seconds, until the scan ended.",
    ),
]


class Rerun(Taken):
    """What is different this time; empty is the model that is the default now."""

    model: Annotated[Line, Field(max_length=128)] = ""


def form_schema(form: type[Options], what: str) -> dict[str, Any]:
    """A form's fields and its file, as OpenAPI says it."""
    schema = form.model_json_schema()
    file = {"type": "string", "format": "binary", "description": what}
    return {**schema, "properties": {FILE_FIELD: file, **schema["properties"]}, "required": [FILE_FIELD]}


_MEDIUM = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form_schema(ScanForm, "The picture or video.")},
            **dict.fromkeys(("image/*", "video/*", "application/octet-stream"), _MEDIUM),
            "application/json": {"schema": ScanNamed.model_json_schema()},
        },
    },
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in ScanForm.model_json_schema()["properties"].items()
    ],
}


async def take(request: Request) -> Response:
    """`create_scan` for a request that no framework has looked at."""
    desk, answer = await WRITE.of(request), Response(media_type="application/json")
    del answer.headers["Content-Length"]  # which will be that of the scan
    asked = {name: request.headers.get(name, "") for name in ("idempotency-key", "prefer")}
    if errors := [_too_long(name) for name, value in asked.items() if len(value) > _MOST_HEADER]:
        raise RequestValidationError(errors)
    scan = await create_scan(desk, request, answer, *asked.values())
    return Response(scan.model_dump_json(), answer.status_code, dict(answer.headers))


def _too_long(header: str) -> dict[str, Any]:
    return {"loc": ("header", header), "msg": f"String should have at most {_MOST_HEADER} characters"}


async def create_scan(
    desk: Writing,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = "",
    prefer: Prefer = "",
) -> Scan:
    """Scan a medium: an upload as `file` of a form or as the body, or as JSON one by its sha256 or url.

    The other fields may stand in the query too; what the form or the JSON says of them goes before.
    202 while it is worked on, 200 when it has ended already.
    """
    job, fresh = await take_scan(request, desk, idempotency_key)
    return await _answer(request, response, desk, job, fresh=fresh)


router.add_api_route(
    "",
    create_scan,
    methods=["POST"],
    status_code=202,
    responses={200: {"model": Scan}},
    openapi_extra=_BODY,
)


@router.get("")
def list_scans(
    desk: Reading,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: State | None = None,
    verdict: Annotated[
        Literal["fake", "real", "uncertain", "none"] | None,
        Query(description="`none` ended without a verdict."),
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Handed in at this time or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Handed in before this time.")] = None,
    name: Annotated[Name | None, Query(description="A part of the name, in any case.")] = None,
    client_ref: Annotated[ClientRef | None, Query(description="Exactly this reference.")] = None,
) -> Scans:
    """The tenant's scans, newest first."""
    search = Search(
        KIND,
        state=None if state is None else JobState(state),
        verdict=verdict,
        since=_seconds(since),
        until=_seconds(until),
        name=name,
        client_ref=client_ref,
        before=place_of(cursor),
        limit=limit,
    )
    found = desk.find(search)
    return Scans(items=views.summaries(desk, found), next=cursor_behind([job for job, _ in found], limit))


@router.get(
    "/{scan}",
    response_class=Response,
    responses={200: {"model": Scan}, 304: {"description": "Not changed since `If-None-Match`."}},
)
async def get_scan(
    desk: Reading,
    scan: str,
    request: Request,
    prefer: Prefer = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """A scan with its report. `ETag` and `If-None-Match` spare what did not change."""
    job = await run_in_threadpool(desk.job, scan, KIND)
    job = await finished(request, desk, job)
    body = (await run_in_threadpool(_view, desk, job)).model_dump_json().encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in (part.strip().removeprefix("W/") for part in if_none_match.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


@router.delete("/{scan}")
def delete_scan(desk: Writing, scan: str) -> Deleted:
    """Take a scan back: its report, its pictures, and the medium if no other scan of anybody needs it."""
    desk.delete(desk.job(scan, KIND))
    return Deleted(id=scan)


@router.post("/{scan}/cancel")
def cancel_scan(desk: Writing, scan: str) -> Scan:
    """Stop a scan that has not ended; of one that has, nothing changes."""
    desk.job(scan, KIND)
    return _view(desk, desk.store.cancel(scan, desk.tenant))


@router.post("/{scan}/rerun", status_code=202, responses={200: {"model": Scan}})
async def rerun_scan(
    desk: Writing,
    scan: str,
    request: Request,
    response: Response,
    body: Rerun | None = None,
    idempotency_key: IdempotencyKey = "",
    prefer: Prefer = "",
) -> Scan:
    """Scan the same medium again, by another model or by a newer one; the old result stays."""

    def again() -> NewJob:
        desk.may_submit()
        old = desk.job(scan, KIND)
        if not old.state.ended:
            raise UsageError(f"The scan {scan} has not ended yet.", "Wait for it, or cancel it first.")
        return scan_of(desk, _same(desk, old, (body or Rerun()).model), idempotency_key)

    job, fresh = await desk.service.intake.take(await run_in_threadpool(again))
    return await _answer(request, response, desk, job, fresh=fresh)


def _same(desk: Desk, old: Job, model: str) -> Asked:
    request = ScanRequest.from_plain(old.request)
    sha256 = desk.sum_of(old)
    return Asked(
        sha256=sha256,
        size_bytes=desk.medium(sha256).stat().st_size,
        name=request.name,
        options=Options.model_validate(
            {
                "priority": views.PRIORITIES[old.lane],
                "client_ref": old.client_ref,
                "every_seconds": request.every_seconds,
                "keyframes": request.keyframes,
                "max_frames": request.max_frames,
                "model": model,
            }
        ),
    )


def _seconds(moment: datetime | None) -> float | None:
    """Seconds since the epoch; half a microsecond less, since `created` is kept finer than it is shown."""
    return None if moment is None else moment.timestamp() - 5e-7


def _view(desk: Desk, job: Job) -> Scan:
    return views.scan(desk, job, desk.first_shard(job))


async def _answer(request: Request, response: Response, desk: Desk, job: Job, *, fresh: bool) -> Scan:
    """The scan: 200 if it ended within the client's patience, else 202 and when to ask again."""
    accepted = job
    job = await answered(request, response, desk, job, router.prefix)
    if fresh and job is accepted:  # nothing came of it yet
        return views.scan(desk, job, None)
    return await run_in_threadpool(_view, desk, job)
