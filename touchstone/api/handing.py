"""A medium that is asked about and not kept: an upload, the body itself, or one that was handed in before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import Request
from pydantic import BaseModel, RootModel
from starlette.concurrency import run_in_threadpool

from evidence.errors import RequestError
from touchstone.api.accepting import is_json, is_medium, read_json
from touchstone.api.origin_schemas import AboutForm
from touchstone.api.rates import too_many
from touchstone.api.schemas import Sha256, Taken
from touchstone.api.service import Desk
from touchstone.api.uploads import FILE_FIELD, Shape, receive_body, receive_form
from worker.receiving import Receiving

MOST_WAITING = 64  # requests that wait for a child to read their file
_RETRY_SECONDS = 5.0
_MEDIUM = {"schema": {"type": "string", "format": "binary"}}

F = TypeVar("F", bound=AboutForm)
T = TypeVar("T")


class Named(BaseModel):
    """A medium that this tenant handed in before."""

    sha256: Sha256


@dataclass(frozen=True)
class Handed:
    """The medium as a file, what it is called, and the other files of its form by their fields."""

    path: Path
    name: str
    sha256: str
    size_bytes: int
    others: dict[str, Path] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def handed_in(
    request: Request, desk: Desk, form: type[F], others: Sequence[str] = ()
) -> AsyncIterator[tuple[Handed, F]]:
    """The medium of a request and its fields, until the block is left.

    Raises RequestError, LimitExceeded, StoreFull, NoSuchMedium, ValidationError.
    """
    await run_in_threadpool(desk.service.quotas.room)
    media = desk.service.media
    if is_json(request):
        body = await read_json(request, desk)
        fields = RootModel[dict[str, Any]].model_validate_json(body).root
        sha256 = Named.model_validate({"sha256": fields.pop("sha256", None)}).sha256
        said = form.model_validate(fields)
        path = await run_in_threadpool(desk.medium, sha256)
        name = said.name or await run_in_threadpool(desk.name_of, sha256)
        yield Handed(path, name, sha256, path.stat().st_size), said
        return
    with ExitStack() as opened:
        if is_medium(request):
            stated = {key: value for key, value in request.query_params.items() if value}
            medium = await receive_body(request, media, opened)
            said = form.model_validate(stated)
            yield await _handed(medium, said.name), said
            return
        shape = Shape(files=dict.fromkeys((FILE_FIELD, *others), 1))
        found = await receive_form(request, media, opened, shape)
        said = form.model_validate({key: value for key, value in found.fields.items() if value})
        files = {upload.field: upload for upload in found.files}
        if FILE_FIELD not in files:
            raise RequestError(f"The form has no file named {FILE_FIELD!r}.", "Send one.")
        beside = {key: upload for key, upload in files.items() if key != FILE_FIELD}
        paths = {key: await run_in_threadpool(upload.medium.written) for key, upload in beside.items()}
        names = {key: upload.filename for key, upload in beside.items()}
        first = files[FILE_FIELD]
        yield await _handed(first.medium, said.name or first.filename, paths, names), said


async def asked(desk: Desk, what: Callable[[], T]) -> T:
    """What came of asking about a file, a few at a time. Raises TooMany when too many wait for that."""
    asking = desk.service.asking
    if asking.statistics().tasks_waiting >= MOST_WAITING:
        raise too_many(
            f"{MOST_WAITING} files wait to be read already.", "Ask again a little later.", _RETRY_SECONDS
        )
    return await to_thread.run_sync(what, limiter=asking)


def body(form: type[Taken], others: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """The bodies of such a request, as OpenAPI says them; `others` are further files and what they are."""
    schema = form.model_json_schema()
    files = {
        name: {"type": "string", "format": "binary", "description": what}
        for name, what in ((FILE_FIELD, "The medium."), *others)
    }
    named = {"sha256": Named.model_json_schema()["properties"]["sha256"]}
    fields = schema["properties"]
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {**schema, "properties": {**files, **fields}, "required": [FILE_FIELD]}
                },
                **dict.fromkeys(("image/*", "video/*", "application/octet-stream"), _MEDIUM),
                "application/json": {
                    "schema": {**schema, "properties": {**named, **fields}, "required": ["sha256"]}
                },
            },
        },
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": one} for name, one in fields.items()
        ],
    }


async def _handed(
    medium: Receiving, name: str, others: dict[str, Path] | None = None, names: dict[str, str] | None = None
) -> Handed:
    path = await run_in_threadpool(medium.written)
    return Handed(path, name or medium.sha256, medium.sha256, medium.size_bytes, others or {}, names or {})
