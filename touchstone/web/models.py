"""The page of models: which detectors and generators are installed, what they were measured on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from touchstone.web.inside import Inside
from touchstone.web.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/models")
async def models(request: Request) -> HTMLResponse:
    """Every installed model by kind, the default detector first."""
    found = (await Inside(request).get("/v1/models"))["items"]
    kinds = {
        kind: [model for model in found if model["kind"] == kind]
        for kind in ("detector", "generator", "face")
    }
    kinds["detector"].sort(key=lambda model: not model.get("default"))
    return render(request, "models.html", kinds=kinds)
