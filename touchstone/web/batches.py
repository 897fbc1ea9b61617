"""The pages of batches: hand many files in, see how far they are, and each of them with its verdict."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from evidence.errors import ApiRefused
from evidence.verdict import Report
from touchstone.api.pages import number_cursor
from touchstone.report.article import article
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render
from touchstone.web.rows import Row

PAGE = 100

router = APIRouter(include_in_schema=False)


@router.get("/batches")
async def batches(request: Request, cursor: str = "") -> HTMLResponse:
    """The forms that begin a batch, and every batch, the latest first."""
    found = await Inside(request).get("/v1/batches", limit=PAGE, cursor=cursor)
    return render(request, "batches.html", batches=found["items"], next=found.get("next"))


@router.post("/batches")
async def submit(request: Request) -> RedirectResponse:
    """Begin a batch: the form goes to the API as it is, with its files or its manifest."""
    made = await Inside(request).pass_on("/v1/batches")
    return _on_to(f"/batches/{made['id']}")


@router.get("/batches/{batch_id}")
async def batch(
    request: Request, batch_id: str, cursor: str = "", verdict: str = "", status: str = ""
) -> HTMLResponse:
    """One batch: counts, and a row for each item."""
    api = Inside(request)
    asked = {"verdict": verdict, "status": status}
    found = await api.get(f"/v1/batches/{batch_id}/items", limit=PAGE, cursor=cursor, **asked)
    return render(
        request,
        "batch.html",
        batch=await api.get(f"/v1/batches/{batch_id}"),
        items=[Row.of(item) for item in found["items"]],
        next=found.get("next"),
        asked=asked,
        query=urlencode({name: value for name, value in asked.items() if value}),
    )


@router.get("/batches/{batch_id}/items/{position}")
async def item(request: Request, batch_id: str, position: int) -> HTMLResponse:
    """What was found on one item of a batch."""
    api = Inside(request)
    found = await _item(api, batch_id, position)
    plain = found.get("report") or {}
    report = Report.from_dict(plain) if plain else None
    shown = {**article(report), "claims": [], "left_out": False, "taken_over": False} if report else {}
    return render(
        request,
        "batch_item.html",
        item=found,
        batch=await api.get(f"/v1/batches/{batch_id}"),
        report=report,
        kept=bool(plain) and await _is_kept(api, str(plain["media"].get("sha256") or "")),
        **shown,
    )


@router.post("/batches/{batch_id}/items/{position}")
async def look_closer(request: Request, batch_id: str, position: int) -> RedirectResponse:
    """Scan an item for itself, with heat map and preview."""
    api = Inside(request)
    found = await _item(api, batch_id, position)
    sha256 = ((found.get("report") or {}).get("media") or {}).get("sha256")
    scan = await api.post("/v1/scans", {"sha256": sha256, "name": found["name"]})
    return _on_to(f"/scans/{scan['id']}")


@router.post("/batches/{batch_id}/{step}")
async def change(request: Request, batch_id: str, step: str) -> RedirectResponse:
    """Retry what failed, cancel what has not begun, or delete all of it."""
    if step == "delete":
        await Inside(request).delete(f"/v1/batches/{batch_id}")
        return _on_to("/batches")
    await Inside(request).post(f"/v1/batches/{batch_id}/{step}")
    return _on_to(f"/batches/{batch_id}")


async def _item(api: Inside, batch_id: str, position: int) -> dict[str, Any]:
    before = number_cursor(position - 1) if position > 0 else ""
    found = await api.get(f"/v1/batches/{batch_id}/items", limit=1, cursor=before)
    if not found["items"] or found["items"][0]["position"] != position:
        raise ApiRefused(f"The batch has no item {position}.", "Its page lists them.", status=404)
    item: dict[str, Any] = found["items"][0]
    return item


async def _is_kept(api: Inside, sha256: str) -> bool:
    """Whether the file of an item lies in the store, and not somewhere on the server."""
    try:
        await api.get(f"/v1/media/{sha256}")
    except ApiRefused:
        return False
    return True


def _on_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)
