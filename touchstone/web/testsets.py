"""The pages of test sets: choose a recipe, see what it comes to, watch it being built, fetch it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from evidence.errors import ApiRefused
from touchstone.web.inside import Inside
from touchstone.web.rendering import HEADERS, render

PAGE = 20
_WRONG = (413, 422)  # what a person mends in the form, where it stays as it was filled in

router = APIRouter(include_in_schema=False)

Field = Annotated[str, Form()]


@router.get("/testsets")
async def choose(request: Request, recipe: str = "", cursor: str = "") -> HTMLResponse:
    """The ready recipes, the form of the one that is chosen, and every set, the latest first."""
    return await _form(request, {"recipe": recipe}, cursor=cursor)


@router.post("/testsets")
async def build(
    request: Request,
    recipe: Field = "",
    text: Field = "",
    source: Field = "",
    count: Field = "",
    seed: Field = "",
    force: Field = "",
    plan: Field = "",
) -> Any:
    """Have a set built; with `plan`, say first what it would come to."""
    given = {"recipe": recipe, "text": text, "source": source, "count": count, "seed": seed, "force": force}
    wish = {name: value for name, value in given.items() if value.strip()}
    if text.strip():
        wish.pop("recipe", None)
    api = Inside(request)
    try:
        if plan:
            return await _form(request, given, plan=await api.post("/v1/testsets/plan", wish))
        made = await api.post("/v1/testsets", wish)
    except ApiRefused as error:
        if error.status not in _WRONG:
            raise
        return await _form(request, given, refused=error)
    return _on_to(f"/testsets/{made['id']}")


@router.get("/testsets/{testset_id}")
async def show(request: Request, testset_id: str) -> HTMLResponse:
    """A set: how far it is, or what is in it."""
    found = await Inside(request).get(f"/v1/testsets/{testset_id}")
    return render(request, "testset.html", set=found)


@router.post("/testsets/{testset_id}/cancel")
async def cancel(request: Request, testset_id: str) -> RedirectResponse:
    """Stop building."""
    await Inside(request).post(f"/v1/testsets/{testset_id}/cancel")
    return _on_to(f"/testsets/{testset_id}")


@router.post("/testsets/{testset_id}/delete")
async def delete(request: Request, testset_id: str) -> RedirectResponse:
    """Remove a set with all its pictures."""
    await Inside(request).delete(f"/v1/testsets/{testset_id}")
    return _on_to("/testsets")


async def _form(
    request: Request,
    given: dict[str, str],
    *,
    cursor: str = "",
    plan: dict[str, Any] | None = None,
    refused: ApiRefused | None = None,
) -> HTMLResponse:
    api = Inside(request)
    ready = await api.get("/v1/testsets/recipes")
    sets = await api.get("/v1/testsets", limit=PAGE, cursor=cursor)
    asked = given.get("recipe", "")
    own = bool(given.get("text", "").strip())
    first = ready["items"][0]["name"] if not own else ""
    chosen = next((one for one in ready["items"] if one["name"] == (asked or first)), None)
    return render(
        request,
        "testsets.html",
        status=200 if refused is None else refused.status,
        ready=ready,
        chosen=chosen,
        own=own,
        given=given,
        plan=plan,
        refused=refused,
        sets=sets["items"],
        next=sets.get("next"),
    )


def _on_to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)
