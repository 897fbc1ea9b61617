"""The events of a job as they happen: server-sent, and resumed behind the last one that a client saw."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from evidence.errors import NoSuchJob
from touchstone.api.access import Reading
from touchstone.api.service import Desk
from worker.jobs.model import Event, Job, JobState

router = APIRouter(prefix="/v1", tags=["events"])

HEARTBEAT_SECONDS = 15.0
_MOST_SECONDS = 3600.0  # a client goes on from where it was
_ENDS = tuple(state.value for state in JobState if state.ended)

LastEventId = Annotated[str, Header(max_length=32, description="Only what came behind this event.")]
After = Annotated[int, Query(ge=0, lt=2**63, description="The same, for clients that cannot send headers.")]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events."},
    204: {"description": "The job has ended, and nothing came behind that event."},
}


@router.get("/scans/{scan}/events", response_class=Response, responses=STREAM)
async def scan_events(
    desk: Reading, scan: str, after: After = 0, last_event_id: LastEventId = ""
) -> Response:
    """What happens to a scan: queued, running, frame {"done", "of"}, then done, failed or cancelled."""
    return await stream(desk, scan, "scan", after, last_event_id)


async def stream(desk: Desk, job: str, kind: str, after: int, last_event_id: str) -> Response:
    """The events of one of the tenant's jobs from behind one of them, until the job ends."""
    if last_event_id.isascii() and last_event_id.isdigit():
        after = max(after, min(int(last_event_id), 2**63 - 1))
    found = await run_in_threadpool(desk.job, job, kind)
    if found.state.ended and not await run_in_threadpool(desk.store.events, job, after=after, limit=1):
        return Response(status_code=204)  # the one answer after which a browser does not ask again
    return StreamingResponse(
        _lines(desk, found, after), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _lines(desk: Desk, job: Job, after: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    until = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < until:
        news = await desk.service.watch.news(job.id, after, HEARTBEAT_SECONDS)
        for line in _told(news):
            yield line
        if news:
            after = news[-1].seq
            if news[-1].kind in _ENDS:
                return
            continue
        try:  # deleted meanwhile, by its owner or because its time was over
            await run_in_threadpool(desk.job, job.id, job.kind)
        except NoSuchJob:
            return
        yield ": still here\n\n"


def _told(news: list[Event]) -> Iterator[str]:
    for event in news:
        yield f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
