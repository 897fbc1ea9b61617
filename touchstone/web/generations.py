"""The pages that make fakes: choose a shipped generator, look at what it made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render

router = APIRouter(include_in_schema=False)

# Generators that draw from noise alone; the others take a picture or a caption, on the command line.
TASKS = ("noise", "class")


@router.get("/generate")
async def choose(request: Request) -> HTMLResponse:
    """The generators that can be asked, and the form that asks."""
    found = (await Inside(request).get("/v1/models"))["items"]
    able = [model for model in found if model["kind"] == "generator" and model.get("task") in TASKS]
    return render(request, "generate.html", generators=able)


@router.post("/generate")
async def ask(
    request: Request,
    model: Annotated[str, Form()],
    count: Annotated[int, Form(ge=1, le=64)] = 16,
    seed: Annotated[int, Form(ge=0)] = 0,
) -> RedirectResponse:
    """Have pictures made."""
    made = await Inside(request).post("/v1/generations", {"model": model, "count": count, "seed": seed})
    return RedirectResponse(f"/generate/{made['id']}", 303, headers=HEADERS)


@router.get("/generate/{generation_id}")
async def show(request: Request, generation_id: str) -> HTMLResponse:
    """What was made, or how far it is."""
    generation = await Inside(request).get(f"/v1/generations/{generation_id}")
    return render(request, "generation.html", generation=generation)
