"""Cursors: where the next page of a list begins, as text that a client hands back unread."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Annotated

from fastapi import Query

from evidence.errors import RequestError
from worker.jobs.model import Job

_ID = re.compile(r"[0-9a-f]{32}")

Limit = Annotated[int, Query(ge=1, le=200, description="At most so many items.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


def cursor_behind(jobs: list[Job], limit: int) -> str | None:
    """The cursor of the page behind `jobs`, if this page is full."""
    if len(jobs) < limit:
        return None
    last = jobs[-1]
    return _wrap([last.created, last.id])


def place_of(cursor: str | None) -> tuple[float, str] | None:
    """(created, id) of the last job of the page before; raises RequestError for what is no cursor."""
    if cursor is None:
        return None
    match _unwrap(cursor):
        case [int() | float() as created, str() as job] if not isinstance(created, bool) and _ID.fullmatch(
            job
        ):
            return float(created), job
    raise _no_cursor()


def number_cursor(number: int) -> str:
    """The cursor of the page behind item `number`."""
    return _wrap(number)


def number_of(cursor: str | None) -> int:
    """The number in a cursor, -1 without one; raises RequestError."""
    if cursor is None:
        return -1
    number = _unwrap(cursor)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**31:
        return number
    raise _no_cursor()


def _wrap(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _unwrap(cursor: str) -> object:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return json.loads(text, parse_constant=lambda _: None)
    except (binascii.Error, ValueError, RecursionError):
        raise _no_cursor() from None


def _no_cursor() -> RequestError:
    return RequestError("This cursor is not one of ours.", "Use `next` of the page before, or none.")
