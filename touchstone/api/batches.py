"""Batches: hand in a manifest or name a folder, watch how far it is, read one row a medium."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from evidence.errors import RequestError
from touchstone.api import batch_views, events
from touchstone.api.accepting import (
    LANES,
    answered,
    check_model,
    check_webhook,
    is_json,
    read_json,
    retention,
)
from touchstone.api.access import Reading, Writing
from touchstone.api.events import After, LastEventId
from touchstone.api.files import Sent, download
from touchstone.api.manifests import folder_items, items_of, places_of, read_manifest
from touchstone.api.pages import Cursor, Limit, cursor_behind, number_of, place_of
from touchstone.api.rows import printable
from touchstone.api.scans import IdempotencyKey, Prefer, form_schema
from touchstone.api.schemas import (
    Batch,
    BatchByItems,
    Batches,
    BatchForm,
    BatchMedia,
    Deleted,
    Retried,
    State,
)
from touchstone.api.service import Desk
from touchstone.api.uploads import FILE_FIELD, Shape, Upload, receive_form
from touchstone.report.batch import reports
from touchstone.report.csv import CLIENT_REF, COLUMNS, row_of
from touchstone.report.jsonl import line_of
from touchstone.report.parquet import ParquetWriter
from worker.jobs.model import Job, JobState
from worker.jobs.search import Search
from worker.requests import BatchItem, BatchRequest, ScanOptions, open_batch
from worker.retrying import retry_failed

router = APIRouter(prefix="/v1/batches", tags=["batches"])
KIND = "batch"

MEDIA_FIELD = "media"
MOST_MEDIA = 10_000  # that come along with one form
_SHAPE = Shape({FILE_FIELD: 1, MEDIA_FIELD: MOST_MEDIA}, kept=(MEDIA_FIELD,))


def _form() -> dict[str, Any]:
    schema = form_schema(BatchForm, "The manifest: CSV, JSONL or JSON; or else the media themselves.")
    file = {"type": "string", "format": "binary"}
    media = {"type": "array", "maxItems": MOST_MEDIA, "items": file}
    return {**schema, "properties": {**schema["properties"], MEDIA_FIELD: media}, "required": []}


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _form()},
            "application/json": {"schema": BatchByItems.model_json_schema()},
        },
    }
}


@router.post("", status_code=202, responses={200: {"model": Batch}}, openapi_extra=_BODY)
async def create_batch(
    desk: Writing,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = "",
    prefer: Prefer = "",
) -> Batch:
    """Scan many media: a form with the `media` or with a manifest as `file`; JSON with `items` or a `folder`.

    Paths and folders need the scope admin and must lie in TOUCHSTONE_FOLDERS or TOUCHSTONE_PLACES. A row that
    makes no sense is a row of the result that says why; the others are scanned.
    """
    await run_in_threadpool(desk.may_submit)
    uploads: list[Upload] = []
    if is_json(request):
        body = BatchByItems.model_validate_json(await read_json(request, desk))
        asked: BatchForm = body
        digest = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
        rows = None if body.items is None else list(body.items)
    else:
        room, media = desk.service.quotas.room, desk.service.media
        with ExitStack() as opened:
            form = await receive_form(request, media, opened, _SHAPE, before_file=room)
            asked = BatchForm.model_validate({name: value for name, value in form.fields.items() if value})
            manifest, uploads = next(iter(form.of(FILE_FIELD)), None), form.of(MEDIA_FIELD)
            if (manifest is None) == (not uploads):
                raise RequestError(
                    "The form has a manifest and media, or neither.",
                    f"Send the manifest as {FILE_FIELD!r}, or the media themselves as {MEDIA_FIELD!r}.",
                )
            if manifest is None:
                rows = [{"sha256": one.medium.sha256, "name": one.filename} for one in uploads]
                digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
            else:
                digest = manifest.medium.sha256
                rows = await run_in_threadpool(_manifest, desk, manifest)
    job = await run_in_threadpool(_accept, desk, asked, rows, digest, idempotency_key, uploads)
    job = await answered(request, response, desk, job, router.prefix)
    return await run_in_threadpool(batch_views.batch, desk, job)


@router.get("")
def list_batches(
    desk: Reading, limit: Limit = 50, cursor: Cursor = None, state: State | None = None
) -> Batches:
    """The tenant's batches, newest first."""
    wanted = None if state is None else JobState(state)
    found = [job for job, _ in desk.find(Search(KIND, state=wanted, before=place_of(cursor), limit=limit))]
    return Batches(items=[batch_views.batch(desk, job) for job in found], next=cursor_behind(found, limit))


@router.get("/{batch}")
def get_batch(desk: Reading, batch: str) -> Batch:
    """How far a batch is."""
    return batch_views.batch(desk, desk.job(batch, KIND))


@router.delete("/{batch}")
def delete_batch(desk: Writing, batch: str) -> Deleted:
    """Take a batch back, with its reports."""
    desk.delete(desk.job(batch, KIND))
    return Deleted(id=batch)


@router.get("/{batch}/items")
def batch_items(
    desk: Reading,
    batch: str,
    limit: Limit = 50,
    cursor: Cursor = None,
    verdict: Literal["fake", "real", "uncertain", "none"] | None = None,
    status: Literal["ok", "not_applicable", "unable"] | None = None,
) -> BatchMedia:
    """The media of a batch in the order of its manifest, each with its report; `none` is no verdict."""
    job = desk.job(batch, KIND)
    wanted = batch_views.Wanted(verdict, status)
    return batch_views.page(desk, job, wanted, after=number_of(cursor), limit=limit)


@router.get("/{batch}/events", response_class=Response, responses=events.STREAM)
async def batch_events(
    desk: Reading, batch: str, after: After = 0, last_event_id: LastEventId = ""
) -> Response:
    """What happens to a batch, as it happens."""
    return await events.stream(desk, batch, KIND, after, last_event_id)


@router.get(
    "/{batch}/results.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The table."}},
)
def results_csv(desk: Reading, batch: str) -> StreamingResponse:
    """A row for every medium that is done or failed: the columns of `touchstone scan --csv`, client_ref."""
    job = desk.job(batch, KIND)
    return download(_csv_lines(desk, job), "text/csv; charset=utf-8", f"{batch}.csv")


@router.get(
    "/{batch}/results.jsonl",
    response_class=Response,
    responses={
        200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}, "description": "Reports."}
    },
)
def results_jsonl(desk: Reading, batch: str) -> StreamingResponse:
    """A report a line for every medium that is done or failed, in the order of the manifest."""
    job = desk.job(batch, KIND)
    lines = (line_of(report) for _, report in reports(desk.store, job))
    return download(lines, "application/x-ndjson", f"{batch}.jsonl")


@router.get(
    "/{batch}/results.parquet",
    response_class=Response,
    responses={
        200: {
            "content": {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The table.",
        }
    },
)
def results_parquet(desk: Reading, batch: str) -> Sent:
    """The table with types; needs pyarrow on the server."""
    job = desk.job(batch, KIND)
    folder = tempfile.TemporaryDirectory(prefix="touchstone-")
    path = Path(folder.name) / "results.parquet"
    try:
        writer = ParquetWriter(path)
        for item, report in reports(desk.store, job):
            writer.add_report(report, item.client_ref)
        writer.close()
    except BaseException:
        folder.cleanup()
        raise
    return Sent(
        path,
        media_type="application/vnd.apache.parquet",
        filename=f"{batch}.parquet",
        background=BackgroundTask(folder.cleanup),
    )


@router.post("/{batch}/retry")
def retry_batch(desk: Writing, batch: str) -> Retried:
    """Work again on the media whose workers died under them, or that failed for a cause that may pass.

    Those are `fetch_failed`, `unreadable`, `timeout`, `decoder_crashed` and `part_lost`.
    """
    return Retried(retried=retry_failed(desk.store, desk.job(batch, KIND)))


@router.post("/{batch}/cancel")
def cancel_batch(desk: Writing, batch: str) -> Batch:
    """Stop a batch; what is done stays."""
    desk.job(batch, KIND)
    return batch_views.batch(desk, desk.store.cancel(batch, desk.tenant))


def _manifest(desk: Desk, upload: Upload) -> list[Any]:
    """The rows of a manifest, which is not kept."""
    if upload.medium.size_bytes > desk.service.settings.max_body_bytes:
        raise RequestError("The manifest is too long.", "Hand it in as several batches.")
    return list(read_manifest(upload.medium.read(), upload.filename))


def _accept(
    desk: Desk, asked: BatchForm, rows: list[Any] | None, digest: str, key: str, uploads: list[Upload]
) -> Job:
    check_model(desk, asked.model)
    places = places_of(desk, asked.folder)
    if rows is None and not places.folder:
        raise RequestError("The batch names neither items nor a folder.", "Name one of them.")
    items: list[BatchItem]
    if uploads:
        items = [BatchItem(printable(one.filename) or "unnamed", sha256=one.medium.sha256) for one in uploads]
    else:
        items = folder_items(places) if rows is None else items_of(desk, rows, places)
    job, _ = open_batch(
        desk.store,
        BatchRequest(
            items,
            name=asked.name,
            digest=digest,
            options=ScanOptions(asked.every_seconds, asked.keyframes, asked.max_frames, asked.model),
        ),
        tenant=desk.tenant,
        lane=LANES[asked.priority or "batch"],
        key=key,
        client_ref=asked.client_ref,
        retention_seconds=retention(desk, asked),
        webhook=check_webhook(desk, asked.webhook),
        media=tuple(item.sha256 for item in items if item.sha256),
    )
    return job


def _csv_lines(desk: Desk, job: Job) -> Iterator[str]:
    yield _line((*COLUMNS, CLIENT_REF))
    for item, report in reports(desk.store, job):
        yield _line((*row_of(report), item.client_ref))


def _line(cells: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
