"""The pages of the service, added to its application: `add_pages(app)`.

Each page works without script: links, forms and a refresh while something runs. The modules in `static/`
add dropping, live progress and the player.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from evidence.errors import ApiRefused
from touchstone.api.access import COOKIE
from touchstone.report.article import FOLDER as REPORT
from touchstone.web import batches, generations, log, models, origins, scans, testsets
from touchstone.web.inside import Inside
from touchstone.web.rendering import FOLDER, HEADERS, render
from touchstone.web.rows import Row

RECENT = 6
KEY_SECONDS = 30 * 86400
_KEY = re.compile(r"ts_[!-~]{1,200}")  # what a cookie can hold; whether it is valid the API says

router = APIRouter(include_in_schema=False)


def add_pages(app: FastAPI) -> None:
    """Serve the pages, and their styles and scripts under /static, from `app`."""
    app.include_router(router)
    for part in (scans, batches, generations, testsets, origins, log, models):
        app.include_router(part.router)
    app.mount("/static", _Static(directory=FOLDER / "static"), "static")
    app.add_exception_handler(ApiRefused, _refused)


@router.get("/")
async def home(request: Request) -> HTMLResponse:
    """Where files are dropped, and what came of the latest."""
    api = Inside(request)
    recent = await api.get("/v1/scans", limit=RECENT)
    installed = await api.get("/v1/models")
    return render(
        request,
        "home.html",
        recent=[Row.of(scan) for scan in recent["items"]],
        limits=await api.get("/v1/limits"),
        detectors=[model for model in installed["items"] if model["kind"] == "detector"],
    )


@router.get("/static/report.css")
async def report_style() -> FileResponse:
    """The report's own style, which the page builds on."""
    return FileResponse(REPORT / "report.css", headers=_STATIC_HEADERS)


@router.get("/key")
async def ask_for_key(request: Request, to: str = "/") -> HTMLResponse:
    """The form that takes an API key, or forgets it."""
    return render(request, "key.html", to=_local(to), refused="")


@router.post("/key")
async def take_key(
    request: Request,
    key: Annotated[str, Form()] = "",
    to: Annotated[str, Form()] = "/",
    forget: Annotated[str, Form()] = "",
) -> Response:
    """Keep the key in a cookie that no script can read and no other site can send."""
    if not forget and not _KEY.fullmatch(key.strip()):
        said = "A key begins with ts_ and is one word. Copy the whole of it."
        return render(request, "key.html", status=422, to=_local(to), refused=said)
    answer = RedirectResponse("/key" if forget else _local(to), 303, headers=HEADERS)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE,
        key.strip(),
        max_age=0 if forget else KEY_SECONDS,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    return answer


async def _refused(request: Request, error: Exception) -> Response:
    """What the API refused, in its words, on a page; without a key, the form that takes one."""
    assert isinstance(error, ApiRefused)
    if error.status == 401:
        to = request.url.path if request.method == "GET" else "/"
        tried = COOKIE in request.cookies
        return render(request, "key.html", status=401, to=to, refused=str(error) if tried else "")
    title = _TITLES.get(error.status, "That did not work")
    return render(request, "message.html", status=error.status, title=title, error=error)


def _local(to: str) -> str:
    """An address of this site to go on to; anything else is the first page."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"


class _Static(StaticFiles):
    """Files of ours: looked at again after an update, never taken for another type."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers.update(_STATIC_HEADERS)
        return answer


_STATIC_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}

_TITLES = {
    403: "Not allowed",
    404: "There is nothing here",
    409: "Not now",
    413: "The file is too large",
    415: "This type of file is not examined",
    422: "Something is missing",
    429: "Too many at once",
    503: "The service is not ready",
    507: "The disk is full",
}
