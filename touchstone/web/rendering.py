"""Templates to responses: one environment, and the headers that keep a page to itself.

The policy allows no script or style that is not a file of ours, and no other origin for anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from touchstone.report.article import environment

FOLDER = Path(__file__).parent

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: browsers would then send `Origin: null` with every form.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

STATES = {
    "queued": "Waiting",
    "running": "Examining",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


def render(request: Request, template: str, /, *, status: int = 200, **view: Any) -> HTMLResponse:
    """The page `template` shows for `view`."""
    html = templates().get_template(template).render(request=request, version=version("touchstone"), **view)
    return HTMLResponse(html, status, HEADERS)


@cache
def templates() -> jinja2.Environment:
    """The page's templates, then the report's parts, with their filters and the page's own."""
    made = environment(FOLDER / "templates")
    made.filters["moment"] = moment
    made.globals["states"] = STATES
    return made


def moment(when: str | float | None) -> str:
    """A time stamp of the API in words, such as "24 Nov 2026, 22:58 UTC"."""
    if when is None:
        return ""
    at = datetime.fromtimestamp(when, UTC) if isinstance(when, int | float) else datetime.fromisoformat(when)
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC".lstrip("0")
