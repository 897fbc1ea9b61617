"""The OpenAPI document: what FastAPI finds, with problems as the errors of every route."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from touchstone.api.problems import MEDIA_TYPE

API_VERSION = "1.0"

_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "What went wrong, as RFC 9457 says it; `code` never changes its meaning.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "advice": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_REFUSED = {
    "description": "Refused; the problem says why and what to do.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        for path in made["paths"].values():
            for operation in path.values():
                answers = operation["responses"]
                answers.pop("422", None)
                answers["4XX"] = answers["5XX"] = _REFUSED
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = _PROBLEM
        app.openapi_schema = made
    return app.openapi_schema
