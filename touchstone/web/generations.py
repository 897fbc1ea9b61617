"""The pages that make fakes: choose a shipped generator, ask for what it takes, look at what it made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from generators.expressions import EXPRESSIONS
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render

RECENT = 8
MOST = 64  # samples that a page shows well; the API makes more

# What a task does, in the order of the list: its heading, and a sentence on its form.
TASKS = {
    "noise": ("Out of nothing", "Draws new pictures. The same seed gives the same pictures."),
    "class": ("Of a class", "Draws pictures of the classes you choose, or of all of them in turn."),
    "caption": ("From words", "Draws what a caption says, with the words it has learned."),
    "translation": ("Translate a picture", "Turns pictures of one kind into another kind."),
    "inpainting": ("Make a part anew", "Fills the part of a picture that you mark; the rest stays as it is."),
    "outpainting": ("Continue a picture", "Goes on beyond the sides that you choose."),
    "animation": ("Change an expression", "Gives a face other action units, by name or one by one."),
    "rotation": ("Turn a head", "Shows a face from another side."),
    "reconstruction": (
        "Rebuild a picture",
        "Passes a picture through a generator, which no eye sees.",
    ),
}

router = APIRouter(include_in_schema=False)


@router.get("/generate")
async def choose(request: Request, system: str = "") -> HTMLResponse:
    """The generators by what they do, and the form of the one that is chosen."""
    api = Inside(request)
    found = [model for model in (await api.get("/v1/models"))["items"] if model.get("takes")]
    found.sort(key=lambda model: (list(TASKS).index(model["task"]), model["name"]))
    chosen = next((model for model in found if system in (model["name"], _label(model))), None)
    recent = await api.get("/v1/generations", limit=RECENT)
    return render(
        request,
        "generate.html",
        groups={task: [model for model in found if model["task"] == task] for task in TASKS},
        tasks=TASKS,
        wish=None if chosen is None and system else _wish(chosen or found[0]) if found else None,
        any=bool(found),
        most=MOST,
        recent=recent["items"],
    )


@router.post("/generate")
async def ask(request: Request) -> RedirectResponse:
    """Have something made: the form goes to the API as it is, with its pictures."""
    made = await Inside(request).pass_on("/v1/generations")
    return RedirectResponse(f"/generate/{made['id']}", 303, headers=HEADERS)


@router.get("/generate/{generation_id}")
async def show(request: Request, generation_id: str) -> HTMLResponse:
    """What was made, or how far it is."""
    generation = await Inside(request).get(f"/v1/generations/{generation_id}")
    files = {file["name"]: file for file in generation["files"]}
    made = [file for file in files.values() if file.get("role", "made") == "made"]
    pictures = [(file, files.get(file.get("before") or "")) for file in made]
    others = [file for file in files.values() if file not in made and file.get("role") != "before"]
    return render(request, "generation.html", generation=generation, pictures=pictures, others=others)


@router.post("/generate/{generation_id}/cancel")
async def cancel(request: Request, generation_id: str) -> RedirectResponse:
    """Stop what is being made."""
    await Inside(request).post(f"/v1/generations/{generation_id}/cancel")
    return RedirectResponse(f"/generate/{generation_id}", 303, headers=HEADERS)


@router.post("/generate/{generation_id}/delete")
async def delete(request: Request, generation_id: str) -> RedirectResponse:
    """Remove what was made."""
    await Inside(request).delete(f"/v1/generations/{generation_id}")
    return RedirectResponse("/generate", 303, headers=HEADERS)


def _wish(model: Mapping[str, Any]) -> dict[str, Any]:
    """What the form of a model needs to know: its inputs by the roles they play, from its registry entry."""
    roles = {row["role"]: row for row in model["inputs"] if "role" in row}
    units = roles.get("units", {}).get("names", [])
    return {
        "model": model,
        "label": _label(model),
        "takes": set(model["takes"]),
        "films": model["films"],
        "classes": roles.get("label", {}).get("names", []),
        "words": [word for word in roles.get("tokens", {}).get("names", []) if word not in ("", "?")],
        "units": units,
        "expressions": [name for name, needed in EXPRESSIONS.items() if set(needed) <= set(units)],
        "yaw": roles.get("yaw"),
        "truncation": roles.get("truncation"),
    }


def _label(model: Mapping[str, Any]) -> str:
    return f"{model['name']}@{model['version']}"
