"""The page that asks where a file comes from, without a verdict: verify it, trace it, sign it."""

from __future__ import annotations

from typing import Any, get_args

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from provenance.credentials import Credentials
from provenance.metadata.claims import Claim
from provenance.seen import Sighting, rate_words, sighting_words
from provenance.words import claim_words, credentials_sentence, source_sentence
from touchstone.api.origins import SourceType
from touchstone.report.beside import Pair, difference_in
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render

router = APIRouter(include_in_schema=False)

_JPEG = "data:image/jpeg;base64,"
_POLICY = HEADERS["Content-Security-Policy"].replace("img-src 'self'", "img-src 'self' data:")


@router.get("/provenance")
async def ask(request: Request) -> HTMLResponse:
    """Where a file is dropped to be asked about."""
    return await _page(request)


@router.post("/provenance/verify")
async def verify(request: Request) -> HTMLResponse:
    """What a file says of itself."""
    found = await Inside(request).pass_on("/v1/verify")
    credentials = Credentials.from_dict(found["credentials"])
    said = {
        "credentials": credentials,
        "sentence": credentials_sentence(credentials),
        "source": source_sentence(credentials),
        "claimed": [claim_words(Claim(**row)) for row in found["claims"]],
    }
    return await _page(request, found=found, said=said, changed=_changed(found))


@router.post("/provenance/trace")
async def trace(request: Request) -> HTMLResponse:
    """Where a file was seen before."""
    found = await Inside(request).pass_on("/v1/trace")
    return await _page(request, found=found, seen=[_sighting(row) for row in found["sightings"]])


@router.post("/provenance/sign")
async def sign(request: Request) -> Response:
    """The signed file, to be saved."""
    return await Inside(request).pass_on_for_file("/v1/sign")


async def _page(request: Request, **view: Any) -> HTMLResponse:
    limits = await Inside(request).get("/v1/limits")
    kinds = [kind for kind in get_args(SourceType) if kind]
    empty = {"found": None, "said": None, "seen": (), "changed": None}
    page = render(request, "origins.html", limits=limits, kinds=kinds, **{**empty, **view})
    page.headers["Content-Security-Policy"] = _POLICY
    return page


def _changed(found: dict[str, Any]) -> Pair | None:
    """What was signed beside what came of it; nothing is kept here, so both pictures are in the page."""
    changed, manifest = found["changed"], found["credentials"].get("manifest") or {}
    if changed is None:
        return None
    theirs, ours = (f"{_JPEG}{changed[name]}" if changed[name] else "" for name in ("signed", "now"))
    return Pair("signed", str(manifest.get("title") or ""), theirs, ours, difference_in(changed["differs"]))


def _sighting(row: dict[str, Any]) -> dict[str, str]:
    """One sighting in words, with the page of what it was."""
    one = Sighting(**{name: value for name, value in row.items() if name != "false_match_rate"})
    room = {"scanned": "/scans", "generated": "/generate"}.get(one.origin, "")
    return {
        "said": sighting_words(one),
        "rate": rate_words(one),
        "place": f"{room}/{one.job}" if room and one.job else "",
    }
