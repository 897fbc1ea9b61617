"""Test sets: choose a recipe, see what it comes to, have it built, look at it and fetch it."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from detector.lint import LIMIT, LintReport
from evidence.errors import NotThere, UsageError
from testsets.build import LINT, LINT_PAGE, Leaks, told
from testsets.card import CARD, SHEETS
from testsets.document import nearest
from testsets.recipe import ready
from touchstone.api import events, testset_views
from touchstone.api.accepting import DAY_SECONDS, LANES, answered, check_webhook
from touchstone.api.access import Reading, Writing
from touchstone.api.events import After, LastEventId
from touchstone.api.files import Sent, bad_range
from touchstone.api.handing import asked
from touchstone.api.packing import Packed, wanted_part
from touchstone.api.pages import Cursor, Limit, cursor_behind, place_of
from touchstone.api.scans import IdempotencyKey, Prefer
from touchstone.api.schemas import Deleted, State
from touchstone.api.service import Desk
from touchstone.api.testset_schemas import ReadyRecipes, SetPlan, SetWish, Share, Testset, Testsets
from touchstone.report.card import lint_page
from worker.jobs.model import Job, JobState, NewJob
from worker.jobs.search import Search
from worker.requests import TESTSET, SetRequest, set_job
from worker.testset_recipes import Opened, opened_for
from worker.testset_shards import SET

router = APIRouter(prefix="/v1/testsets", tags=["testsets"])

_PRIVATE = {"Cache-Control": "private, max-age=3600"}
# The page of the linter loads nothing, and its style stands in it.
_PAGE_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def _file(what: str, kind: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": what, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/recipes")
def list_recipes(desk: Reading) -> ReadyRecipes:
    """The ready recipes, and the folders of reals that this server offers."""
    return testset_views.recipes(desk)


@router.post("/plan")
async def plan_testset(desk: Writing, wish: SetWish) -> SetPlan:
    """What a test set would come to: how many pictures, by whom, under what; nothing is made."""
    found = await asked(desk, lambda: opened_for(_request(wish), desk.service.settings))
    return _plan(found)


@router.post("", status_code=202, responses={200: {"model": Testset}})
async def create_testset(
    desk: Writing,
    wish: SetWish,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = "",
    prefer: Prefer = "",
) -> Testset:
    """Have a test set built: its reals are cut into ranges that the workers forge side by side.

    A recipe that asks for what there is not is refused with its line, one that is too large with 413.
    """
    await run_in_threadpool(desk.may_submit)
    wanted = _request(wish)
    await asked(desk, lambda: opened_for(wanted, desk.service.settings))

    def new() -> NewJob:
        days = desk.service.settings.retention_days
        return set_job(
            wanted,
            tenant=desk.tenant,
            lane=LANES[wish.priority],
            key=idempotency_key,
            client_ref=wish.client_ref,
            retention_seconds=days * DAY_SECONDS
            if wish.retention_seconds is None
            else wish.retention_seconds,
            webhook=check_webhook(desk, wish.webhook),
        )

    job, _ = await desk.service.intake.take(await run_in_threadpool(new))
    job = await answered(request, response, desk, job, router.prefix)
    return await run_in_threadpool(testset_views.testset, desk, job)


@router.get("")
def list_testsets(
    desk: Reading, limit: Limit = 50, cursor: Cursor = None, state: State | None = None
) -> Testsets:
    """The tenant's test sets, newest first."""
    wanted = None if state is None else JobState(state)
    found = desk.find(Search(TESTSET, state=wanted, before=place_of(cursor), limit=limit))
    return Testsets(
        items=[testset_views.seen(desk, job, shard) for job, shard in found],
        next=cursor_behind([job for job, _ in found], limit),
    )


@router.get("/{testset}")
def get_testset(desk: Reading, testset: str) -> Testset:
    """A test set as it stands."""
    return testset_views.testset(desk, desk.job(testset, TESTSET))


@router.delete("/{testset}")
def delete_testset(desk: Writing, testset: str) -> Deleted:
    """Take a test set back, with all its pictures."""
    desk.delete(desk.job(testset, TESTSET))
    return Deleted(id=testset)


@router.post("/{testset}/cancel")
def cancel_testset(desk: Writing, testset: str) -> Testset:
    """Stop a test set that has not ended; what was forged of it goes."""
    desk.job(testset, TESTSET)
    job = desk.store.cancel(testset, desk.tenant)
    if job.state is JobState.CANCELLED:
        desk.service.media.forget(job.id)
    return testset_views.testset(desk, job)


@router.get("/{testset}/events", response_class=Response, responses=events.STREAM)
async def set_events(
    desk: Reading, testset: str, after: After = 0, last_event_id: LastEventId = ""
) -> Response:
    """What happens to a test set: queued, running, frame {"done", "of"} of its pictures, then its end."""
    return await events.stream(desk, testset, TESTSET, after, last_event_id)


@router.get("/{testset}/card.md", response_class=Response, responses=_file("It.", "text/markdown"))
def set_card(desk: Reading, testset: str) -> Sent:
    """The data card: what is in it, by whom, and what short cuts the linter looked for."""
    path = _whole(desk, desk.job(testset, TESTSET)) / CARD
    return Sent(path, media_type="text/markdown", headers=_PRIVATE)


@router.get("/{testset}/lint.html", response_class=HTMLResponse)
def set_lint(desk: Reading, testset: str) -> HTMLResponse:
    """What each short cut alone can tell, as one page."""
    job = desk.job(testset, TESTSET)
    page = _lint_page(_whole(desk, job))
    if page is None:
        raise NotThere(f"The test set {testset} has too few pictures for the linter.", "Its card says so.")
    return HTMLResponse(page, headers=_PAGE_POLICY)


@router.get("/{testset}/sheets/{sheet}", response_class=Response, responses=_file("It.", "image/png"))
def set_sheet(desk: Reading, testset: str, sheet: str) -> Sent:
    """A contact sheet: reals above, what one system made of them below."""
    folder = _whole(desk, desk.job(testset, TESTSET)) / SHEETS
    if sheet not in {path.name for path in folder.glob("*.png")}:
        raise NotThere(f"The test set {testset} has no such sheet.", "Its `sheets` say what there is.")
    return Sent(folder / sheet, media_type="image/png", headers=_PRIVATE)


@router.get(
    "/{testset}/testset.tar",
    response_class=Response,
    responses={
        **_file("The set.", "application/x-tar"),
        206: {"description": "The part that `Range` names."},
    },
)
def set_tar(
    desk: Reading,
    request: Request,
    testset: str,
    if_range: Annotated[str, Header(max_length=200, description="The `ETag` of the part before.")] = "",
) -> Response:
    """The whole set as a tar; `Range` is honoured. One that leaks is refused unless it was forced."""
    job = desk.job(testset, TESTSET)
    folder = _whole(desk, job)
    _require_sound(desk, job)
    about = told(folder) or {}
    page, etag = _lint_page(folder), f'"{job.id}"'
    date = datetime.datetime.fromisoformat(f"{about['date']}T00:00:00+00:00")
    packed = Packed(
        folder,
        f"testset-{job.id[:8]}",
        date=int(date.timestamp()),
        more={} if page is None else {LINT_PAGE: page.encode("utf-8", "backslashreplace")},
    )
    size, wanted = packed.size_bytes, request.headers.get("range", "") if if_range in ("", etag) else ""
    part = wanted_part(wanted, size)
    if part is None:
        return bad_range(wanted, request.url.path, request.scope["state"]["request_id"], f"bytes */{size}")
    first, end = part
    whole = (first, end) == (0, size)
    return StreamingResponse(
        packed.read(first, end),
        200 if whole else 206,
        media_type="application/x-tar",
        headers={
            "Content-Length": str(end - first),
            "Content-Disposition": f'attachment; filename="testset-{job.id[:8]}.tar"',
            "Accept-Ranges": "bytes",
            "ETag": etag,
            **({} if whole else {"Content-Range": f"bytes {first}-{end - 1}/{size}"}),
        },
    )


def _request(wish: SetWish) -> SetRequest:
    """What workers are told; raises UsageError for a recipe that there is not."""
    name, text = "recipe", wish.text
    if wish.recipe:
        there = ready()
        if wish.recipe not in there:
            raise UsageError(
                f"There is no ready recipe {wish.recipe!r}.", f"There are {nearest(wish.recipe, there)}."
            )
        name, text = wish.recipe, there[wish.recipe].read_text("utf-8")
    return SetRequest(
        name=f"{name}.toml",
        text=text,
        source=wish.source,
        count=wish.count,
        seed=wish.seed,
        layouts=list(wish.layouts),
        force=wish.force,
    )


def _plan(found: Opened) -> SetPlan:
    plan, orders = found.plan, found.plan.orders

    def shares(counted: Counter[str]) -> list[Share]:
        return [Share(name=name, pictures=count) for name, count in counted.most_common()]

    chains: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for order in orders:
        raided = f"attack: {order.raid.attack}" if order.raid is not None else ""
        chains[raided or order.treatment or "as it came"] += 1 + len(order.picks)
        splits[order.split] += 1 + len(order.picks)
    return SetPlan(
        name=plan.recipe.name,
        about=plan.recipe.about,
        seed=plan.recipe.seed,
        reals=len(orders),
        forgeries=plan.forgeries,
        systems=shares(Counter(pick.label for order in orders for pick in order.picks)),
        chains=shares(chains),
        splits=shares(splits),
    )


def _whole(desk: Desk, job: Job) -> Path:
    """The folder of a set that is built; raises NotThere for any other."""
    folder = desk.service.media.artefact(job.id, SET)
    if job.state is not JobState.DONE or not folder.is_dir():
        raise NotThere(f"The test set {job.id} is not built.", "Its `state` says how far it is.")
    return folder


def _require_sound(desk: Desk, job: Job) -> None:
    if job.request["force"] or not (found := testset_views.leaks_of(desk.first_shard(job))):
        return
    raise Leaks(
        f"The set leaks: {', '.join(found)} tells real from fake.",
        "Its card and lint.html say more. Mend the recipe, or build it with `force`: its card then says so.",
    )


def _lint_page(folder: Path) -> str | None:
    """The linter's page; None of a set that was too small for it."""
    said = json.loads((folder / LINT).read_text("utf-8"))
    if "probes" not in said:
        return None
    name = str((told(folder) or {}).get("name", ""))
    return lint_page(LintReport.from_dict(said), limit=LIMIT, dataset=name)
