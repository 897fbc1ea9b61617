"""The pages of scans: one with its verdict, all of them with a filter, and the steps that change one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from evidence.errors import ApiRefused
from evidence.verdict import Report
from provenance.beside import Kind
from touchstone.report.article import article
from touchstone.report.beside import Pair, difference_in, named_in
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render
from touchstone.web.rows import Row
from touchstone.web.strip import heat_strip

PAGE = 50

router = APIRouter(include_in_schema=False)


@router.get("/scans")
async def history(
    request: Request,
    cursor: str = "",
    state: str = "",
    verdict: str = "",
    name: str = "",
    since: str = "",
    until: str = "",
) -> HTMLResponse:
    """Every scan, the latest first; `since` and `until` are days, both of them included."""
    asked = {"state": state, "verdict": verdict, "name": name, "since": since, "until": until}
    days = {"since": _midnight(since), "until": _midnight(until, days=1)}
    found = await Inside(request).get("/v1/scans", limit=PAGE, cursor=cursor, **(asked | days))
    return render(
        request,
        "scans.html",
        scans=[Row.of(scan) for scan in found["items"]],
        next=found.get("next"),
        asked=asked,
        query=urlencode({name: value for name, value in asked.items() if value}),
    )


@router.post("/scans")
async def submit(request: Request) -> RedirectResponse:
    """Take a file from the plain form; whoever has script sends it to the API directly."""
    scan = await Inside(request).pass_on("/v1/scans")
    return _on_to(f"/scans/{scan['id']}")


@router.get("/scans/{scan_id}")
async def show(request: Request, scan_id: str) -> HTMLResponse:
    """One scan: its progress, or what came of it."""
    scan = await Inside(request).get(f"/v1/scans/{scan_id}")
    plain = scan.get("report")
    report = Report.from_dict(plain) if plain else None
    links = scan.get("links") or {}
    view: dict[str, Any] = {}
    if report is not None:
        view = article(report) | {
            "strip": heat_strip(report),
            "faces": any(region.kind == "face" for region in report.regions),
            "pictures": {name: bool(links.get(name)) for name in ("preview", "heat", "media")},
            "printable": bool(links.get("report_pdf")),
            "stem": PurePath(scan["name"]).stem or scan_id,
            "claims": [],  # the page shows the whole of provenance instead
            "left_out": False,
            "taken_over": False,
            "proof": await _there(Inside(request), f"/v1/scans/{scan_id}/proof.json"),
            "pairs": [
                _pair(kind, found, links)
                for kind, _ in named_in(report.provenance)
                if (found := await _there(Inside(request), f"/v1/scans/{scan_id}/{kind}"))
            ],
        }
    return render(request, "scan.html", scan=scan, report=report, **view)


@router.post("/scans/{scan_id}/cancel")
async def cancel(request: Request, scan_id: str) -> RedirectResponse:
    """Stop a scan."""
    await Inside(request).post(f"/v1/scans/{scan_id}/cancel")
    return _on_to(f"/scans/{scan_id}")


@router.post("/scans/{scan_id}/rerun")
async def rerun(request: Request, scan_id: str) -> RedirectResponse:
    """Examine the same file again; the earlier result stays."""
    again = await Inside(request).post(f"/v1/scans/{scan_id}/rerun")
    return _on_to(f"/scans/{again['id']}")


@router.post("/scans/{scan_id}/delete")
async def delete(request: Request, scan_id: str) -> RedirectResponse:
    """Remove a scan with its file and pictures."""
    await Inside(request).delete(f"/v1/scans/{scan_id}")
    return _on_to("/scans")


async def _there(api: Inside, path: str) -> dict[str, Any] | None:
    """What the API has there, None where it has nothing or cannot give it now."""
    try:
        found: dict[str, Any] = await api.get(path)
    except ApiRefused:
        return None
    return found


def _pair(kind: Kind, found: Mapping[str, Any], links: Mapping[str, Any]) -> Pair:
    """A picture out of the manifest beside the scan's own."""
    return Pair(
        kind, found["title"], found["url"], links.get("preview") or "", difference_in(found["differs"])
    )


def _midnight(day: str, days: int = 0) -> str:
    """The beginning of a day in UTC, or of one some days later; what is no day goes on to be refused."""
    try:
        at = datetime.combine(date.fromisoformat(day) + timedelta(days), time(), UTC)
    except (ValueError, OverflowError):
        return day
    return at.isoformat()


def _on_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)
