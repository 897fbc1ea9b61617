"""Accepting a scan: the medium by upload or by its sum, the job on disk, an answer now or at its end."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from evidence.errors import (
    ModelNotFound,
    NoSuchWebhook,
    RequestError,
    RequestTooLarge,
    UsageError,
)
from touchstone.api.schemas import Options, ScanForm, ScanNamed
from touchstone.api.service import Desk
from touchstone.api.uploads import FILE_FIELD, receive_body, receive_form
from worker.fetching import check_web
from worker.jobs.hooks import Webhooks
from worker.jobs.model import Job, Lane, NewJob
from worker.receiving import HELD_BYTES, Receiving
from worker.requests import ScanRequest, scan_job
from worker.scanner import installed_models

LANES = {"live": Lane.LIVE, "batch": Lane.BATCH, "low": Lane.LOW}
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?=$|[,;\s])")
DAY_SECONDS = 86_400.0
# A body of these types is the medium itself.
_BARE = re.compile(r"image/|video/|application/octet-stream$")


@dataclass(frozen=True)
class Asked:
    """One medium, what it is called, and how it is to be scanned.

    `medium` is one that is not kept yet; at `url` lies one that a worker fetches.
    """

    sha256: str
    size_bytes: int
    name: str
    options: Options
    medium: Receiving | None = None
    url: str = ""


async def take_scan(request: Request, desk: Desk, key: str) -> tuple[Job, bool]:
    """The job that a POST to /v1/scans asks for, on disk with its medium; True beside it when it is new."""
    await admit(request, desk)
    with ExitStack() as opened:
        asked = await _read_scan(request, desk, opened)
        if asked.options.model or asked.options.webhook:  # these are looked up
            new = await run_in_threadpool(scan_of, desk, asked, key)
        else:
            new = scan_of(desk, asked, key)
        return await desk.service.intake.take(new, asked.medium)


async def admit(request: Request, desk: Desk) -> None:
    """Raise TooMany or StoreFull when no more is taken; a small body may do without a look."""
    announced = request.headers.get("content-length", "")
    small = announced.isdigit() and int(announced) <= HELD_BYTES
    if not (small and desk.service.quotas.spend(desk.tenant)):
        await run_in_threadpool(desk.may_submit)


def scan_of(desk: Desk, asked: Asked, key: str) -> NewJob:
    """The job of a scan that is asked for."""
    options = asked.options
    check_model(desk, options.model)
    return scan_job(
        ScanRequest(
            sha256=asked.sha256,
            name=asked.name,
            size_bytes=asked.size_bytes,
            every_seconds=options.every_seconds,
            keyframes=options.keyframes,
            max_frames=options.max_frames,
            model=options.model,
            url=asked.url,
        ),
        tenant=desk.tenant,
        lane=LANES[options.priority or "live"],
        key=key,
        client_ref=options.client_ref,
        retention_seconds=retention(desk, options),
        webhook=check_webhook(desk, options.webhook),
    )


def retention(desk: Desk, options: Options) -> float:
    """How long a job and its media are kept after its end."""
    if options.retention_seconds is not None:
        return options.retention_seconds
    return desk.service.settings.retention_days * DAY_SECONDS


def check_model(desk: Desk, name: str) -> None:
    """Raise ModelNotFound for a detector that is not installed: a path is none."""
    if name:
        settings = desk.service.settings
        entry = next((one for one in installed_models(settings) if name in (one.name, one.label)), None)
        if entry is None or entry.kind != "detector":
            raise ModelNotFound(f"There is no detector {name!r}.", "GET /v1/models lists them.")


def check_webhook(desk: Desk, webhook: str) -> str:
    """The id of a webhook of the tenant, or ""; raises UsageError for any other."""
    if webhook:
        try:
            Webhooks(desk.store).get(desk.tenant, webhook)
        except NoSuchWebhook:
            raise UsageError(f"You have no webhook {webhook!r}.", "GET /v1/webhooks lists yours.") from None
    return webhook


async def finished(request: Request, desk: Desk, job: Job) -> Job:
    """The job once it has ended, or as it stands when the patience of `Prefer: wait=N` is over."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    until = time.monotonic() + min(
        float(found.group(1)) if found else 0.0, desk.service.settings.wait_seconds
    )
    after = 0
    while not job.state.ended and (left := until - time.monotonic()) > 0:
        news = await desk.service.watch.news(job.id, after, left)
        after = news[-1].seq if news else after
        job = await run_in_threadpool(desk.job, job.id, job.kind)
    return job


async def answered(request: Request, response: Response, desk: Desk, job: Job, path: str) -> Job:
    """The job that a POST made, ended or not: 200 or 202, where it stands, and when to ask again."""
    job = await finished(request, desk, job)
    response.headers["Location"] = f"{path}/{job.id}"
    response.status_code = 200 if job.state.ended else 202
    if not job.state.ended:
        response.headers["Retry-After"] = "1"
    return job


def is_json(request: Request) -> bool:
    """Whether a request says that its body is JSON."""
    return _kind(request) == "application/json"


def is_medium(request: Request) -> bool:
    """Whether the body of a request is the medium itself."""
    return _BARE.match(_kind(request)) is not None


async def read_json(request: Request, desk: Desk) -> bytes:
    """The body of a request that is not a form; raises RequestTooLarge."""
    body = bytearray()
    limit = desk.service.settings.max_body_bytes
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestTooLarge(
                f"The request has more than {limit} bytes of JSON.", "Send files as multipart/form-data."
            )
    return bytes(body)


async def _read_scan(request: Request, desk: Desk, opened: ExitStack) -> Asked:
    stated = {name: value for name, value in request.query_params.items() if name in ScanForm.model_fields}
    if is_json(request):
        return await _named(request, desk, stated)
    if is_medium(request):
        medium = await receive_body(request, desk.service.media, opened)
        asked, filename = _form(stated), ""
    else:
        form = await receive_form(request, desk.service.media, opened)
        asked = _form({**stated, **form.fields})
        if form.file is None:
            raise RequestError(f"The form has no file named {FILE_FIELD!r}.", "Send one.")
        medium, filename = form.file.medium, form.file.filename
    name = asked.name or _form({"name": filename}).name or medium.sha256
    return Asked(medium.sha256, medium.size_bytes, name, asked, medium)


def _form(fields: Mapping[str, str]) -> ScanForm:
    return ScanForm.model_validate({name: value for name, value in fields.items() if value})


async def _named(request: Request, desk: Desk, stated: Mapping[str, str]) -> Asked:
    said = ScanNamed.model_validate_json(await read_json(request, desk))
    beside = _form(stated).model_dump(exclude_unset=True)
    asked = said.model_copy(update={k: v for k, v in beside.items() if k not in said.model_fields_set})

    def look() -> Asked:
        if asked.url:
            check_web(asked.url, desk.service.settings)
            return Asked("", 0, asked.name or asked.url[:1024], asked, url=asked.url)
        path = desk.medium(asked.sha256)
        return Asked(asked.sha256, path.stat().st_size, asked.name or desk.name_of(asked.sha256), asked)

    return await run_in_threadpool(look)


def _kind(request: Request) -> str:
    """What a request says that its body is."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
