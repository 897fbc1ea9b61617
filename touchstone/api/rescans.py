"""What a new detector says of everything that a tenant had scanned: begin it, read what changed."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from touchstone.api import batch_views
from touchstone.api.accepting import DAY_SECONDS, check_model, check_webhook
from touchstone.api.access import Administering, Reading
from touchstone.api.batches import KIND
from touchstone.api.files import download
from touchstone.api.schemas import Batch, Line, Taken
from touchstone.report.changes import compared, csv_line, header, json_line
from touchstone.rescanning import rescan
from worker.jobs.model import JobState
from worker.requests import ScanOptions
from worker.scanner import find_detector

router = APIRouter(prefix="/v1", tags=["batches"])


class Rescan(Taken):
    """By which detector, empty for the default one, and whom to tell of the end."""

    model: Annotated[Line, Field(max_length=128)] = ""
    webhook: Annotated[Line, Field(max_length=64, description="Its id; it is told of the end.")] = ""


@router.post(
    "/rescans",
    status_code=202,
    response_model=Batch,
    responses={
        200: {"model": Batch, "description": "The batch of an earlier call, which has not ended."},
        204: {"description": "Nothing was judged last by another detector."},
    },
)
def create_rescan(desk: Administering, response: Response, body: Rescan | None = None) -> Batch | Response:
    """Scan again, in the low lane, every medium of the tenant that another detector judged last.

    Each of them once, whatever comes of it.
    """
    desk.may_submit()
    asked = body or Rescan()
    check_model(desk, asked.model)
    settings = desk.service.settings.model_copy(update={"model": asked.model or desk.service.settings.model})
    job = rescan(
        desk.store,
        find_detector(settings),
        ScanOptions(model=asked.model),
        tenant=desk.tenant,
        webhook=check_webhook(desk, asked.webhook),
        retention_seconds=settings.retention_days * DAY_SECONDS,
    )
    if job is None:
        return Response(status_code=204)
    response.headers["Location"] = f"/v1/batches/{job.id}"
    response.status_code = 202 if job.state is JobState.QUEUED else 200
    return batch_views.batch(desk, job)


@router.get(
    "/batches/{batch}/changes.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table."}},
)
def changes_csv(desk: Reading, batch: str) -> StreamingResponse:
    """The media of a batch whose verdict is not that of another detector before it, with both verdicts."""
    found = compared(desk.store, desk.job(batch, KIND))
    lines = chain([header()], (csv_line(change) for change in found if change.flipped))
    return download(lines, "text/csv; charset=utf-8", f"{batch}-changes.csv")


@router.get(
    "/batches/{batch}/changes.jsonl",
    response_class=Response,
    responses={
        200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}, "description": "Changes."}
    },
)
def changes_jsonl(desk: Reading, batch: str) -> StreamingResponse:
    """The same, a line of JSON each."""
    found = compared(desk.store, desk.job(batch, KIND))
    lines = (json_line(change) for change in found if change.flipped)
    return download(lines, "application/x-ndjson", f"{batch}-changes.jsonl")
