"""The pages of batches: what runs overnight, how far it is, and each of its items."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render
from touchstone.web.rows import Row

PAGE = 100

router = APIRouter(include_in_schema=False)


@router.get("/batches")
async def batches(request: Request, cursor: str = "") -> HTMLResponse:
    """Every batch, the latest first."""
    found = await Inside(request).get("/v1/batches", limit=PAGE, cursor=cursor)
    return render(request, "batches.html", batches=found["items"], next=found.get("next"))


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


@router.post("/batches/{batch_id}/{step}")
async def change(request: Request, batch_id: str, step: str) -> RedirectResponse:
    """Retry what failed, or cancel what has not begun."""
    await Inside(request).post(f"/v1/batches/{batch_id}/{step}")
    return RedirectResponse(f"/batches/{batch_id}", 303, headers=HEADERS)
