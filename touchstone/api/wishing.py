"""What is asked of a generator over the API: as JSON, or as a form that brings its pictures along."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from evidence.errors import UsageError
from exports.making import STATIONS
from exports.registry import ModelEntry
from touchstone.api.accepting import is_json, read_json
from touchstone.api.schemas import ClientRef, Line, Name, Priority, Sha256, Taken
from touchstone.api.service import Desk
from touchstone.api.uploads import Form, Shape, Upload, receive_form
from worker.generating import asked_of, refuse
from worker.receiving import keep_all
from worker.requests import MOST_GENERATED, GenerateRequest

MOST_PICTURES = 64
MOST_STATIONS = 64  # of a film from seed to seed

_FILES = ("input", "mask")
_MANY = ("classes", "caption", "side", "expression")
_SHAPE = Shape(files=dict.fromkeys(_FILES, MOST_PICTURES), many=_MANY)


class Picture(BaseModel):
    """A picture that was handed in, and what its owner calls it."""

    sha256: Sha256
    name: Name = ""


class WishForm(Taken):
    """What a generator is asked; `takes` of its model (GET /v1/models) says which of it goes with it.

    `units` are as "AU12=0.8,AU26=0.3", `box` is "X,Y,W,H" in pixels of the picture. `unmarked` files do not
    say that they were generated, which some test sets need.
    """

    model: Annotated[Line, Field(min_length=1, max_length=128)]
    count: int = Field(1, ge=1, le=MOST_GENERATED)
    seed: int = Field(0, ge=0, lt=2**63)
    classes: list[Annotated[Line, Field(max_length=128)]] = Field([], max_length=1000)
    caption: list[Annotated[Line, Field(max_length=1024)]] = Field([], max_length=1000)
    truncation: float | None = Field(None, gt=0, le=100, allow_inf_nan=False)
    box: Annotated[str, Field(pattern=r"^(\d{1,6}(,\d{1,6}){3})?$")] = ""
    side: list[Literal["left", "right", "top", "bottom"]] = Field([], max_length=4)
    extend: int | None = Field(None, ge=1, le=1024)
    units: Annotated[Line, Field(max_length=512)] = ""
    expression: list[Annotated[Line, Field(max_length=64)]] = Field([], max_length=16)
    yaw: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False)
    film: Literal["interpolation", "expression", "rotation"] | None = None
    gif: bool = False
    grid: bool = False
    unmarked: bool = False
    priority: Priority = "live"
    client_ref: ClientRef = ""
    retention_seconds: float | None = Field(None, ge=0, le=10 * 365 * 86_400, allow_inf_nan=False)


class Wish(WishForm):
    """The same with pictures that this tenant handed in before, by their sha256."""

    input: list[Picture] = Field([], max_length=MOST_PICTURES)
    mask: list[Picture] = Field([], max_length=MOST_PICTURES)

    def request(self, entry: ModelEntry) -> GenerateRequest:
        """What a worker is told, once it is sure that the system takes it; raises UsageError."""
        plain = self.model_dump(include=set(CONDITIONS), exclude_defaults=True)
        said = {name: getattr(self, name) for name in ("count", "seed") if name in self.model_fields_set}
        count = self.count if "count" in said or not self.film else STATIONS
        made = GenerateRequest(self.model, count, self.seed, self.unmarked, plain)
        conditions = refuse(entry, replace(asked_of(entry, made), **said))
        if self.film and count > MOST_STATIONS:
            raise UsageError(
                f"A film through {count} samples was asked for; {MOST_STATIONS} are allowed.",
                "Make several films, of several seeds.",
            )
        if self.input:
            made = replace(made, count=len(self.input) * (1 if self.film else max(1, len(conditions))))
        return made


CONDITIONS = tuple(
    name
    for name in Wish.model_fields
    if name not in ("model", "count", "seed", "unmarked", "priority", "client_ref", "retention_seconds")
)


async def read_wish(request: Request, desk: Desk) -> Wish:
    """What a POST asks for; pictures that come along are on disk when this returns."""
    await run_in_threadpool(desk.may_submit)
    if is_json(request):
        wish = Wish.model_validate_json(await read_json(request, desk))
        await run_in_threadpool(_held, desk, wish)
        return wish
    room, media = desk.service.quotas.room, desk.service.media
    with ExitStack() as opened:
        form = await receive_form(request, media, opened, _SHAPE, before_file=room)
        wish = Wish.model_validate(_of_form(form))
        await run_in_threadpool(_keep, form)
    return wish


def body() -> dict[str, Any]:
    """Both bodies, as OpenAPI says it."""
    kinds: dict[str, tuple[type[WishForm], dict[str, Any]]] = {
        "multipart/form-data": (WishForm, {"type": "string", "format": "binary"}),
        "application/json": (Wish, Picture.model_json_schema()),
    }
    content = {}
    for kind, (wish, picture) in kinds.items():
        schema = wish.model_json_schema()
        schema.pop("$defs", None)
        pictures = {"type": "array", "maxItems": MOST_PICTURES, "items": picture}
        content[kind] = {
            "schema": schema | {"properties": schema["properties"] | dict.fromkeys(_FILES, pictures)}
        }
    return {"requestBody": {"required": True, "content": content}}


def _held(desk: Desk, wish: Wish) -> None:
    for picture in (*wish.input, *wish.mask):
        desk.medium(picture.sha256)


def _keep(form: Form) -> None:
    for error in keep_all([upload.medium for upload in form.files]):
        if error is not None:
            raise error


def _of_form(form: Form) -> dict[str, Any]:
    """The fields of a form that were filled in, and its files by their sums."""
    given: dict[str, Any] = {name: value for name, value in form.fields.items() if value}
    given |= {name: [value for value in values if value] for name, values in form.lists.items()}
    return given | {name: [_picture(upload) for upload in form.of(name)] for name in _FILES}


def _picture(upload: Upload) -> dict[str, str]:
    return {"sha256": upload.medium.sha256, "name": upload.filename}
