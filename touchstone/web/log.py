"""The page of the transparency log: its head, a search, proofs to keep, and how they are checked."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from evidence.errors import ApiRefused
from provenance.transparency.entries import words
from provenance.transparency.proofs import Proof
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render

router = APIRouter(include_in_schema=False)

_SHA256 = re.compile(r"[0-9a-f]{64}")


@router.get("/log")
async def show(request: Request, find: str = "") -> HTMLResponse:
    """The head of the log, and what it holds of a scan or a medium."""
    api, find = Inside(request), find.strip().lower()
    found = await _find(api, find) if find else []
    state = await api.get("/v1/log")
    return render(request, "log.html", state=state, find=find, found=[_row(one) for one in found])


@router.get("/log/proof")
async def proof(request: Request, find: str, index: int) -> Response:
    """One entry with its proof, to be saved."""
    for one in await _find(Inside(request), find):
        if Proof.read(one["proof"]).index == index:
            return _saved(one, f"entry-{index}.json")
    raise ApiRefused(f"There is no entry {index} for you here.", "Search the log for it.", status=404)


@router.get("/log/consistency")
async def consistency(request: Request, first: int) -> Response:
    """The proof that the log begins with its first entries, to be saved."""
    found = await Inside(request).get("/v1/log/consistency", first=first)
    return _saved(found, f"consistency-{first}.json")


async def _find(api: Inside, find: str) -> list[dict[str, Any]]:
    """The entries about a medium, by its sha256, or of a scan, by its id."""
    if _SHA256.fullmatch(find):
        found: list[dict[str, Any]] = (await api.get("/v1/log/entries", sha256=find))["items"]
        return found
    try:
        return [await api.get(f"/v1/scans/{find}/proof.json")]
    except ApiRefused as error:
        if error.status != 404:
            raise
        return []


def _row(found: dict[str, Any]) -> dict[str, Any]:
    return {"index": Proof.read(found["proof"]).index, "said": list(words(found["entry"]))}


def _saved(document: dict[str, Any], name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(json.dumps(document, indent=1), media_type="application/json", headers=headers)
