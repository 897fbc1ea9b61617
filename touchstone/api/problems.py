"""Every error of the API as an RFC 9457 problem: one table from our errors to status codes, no traceback.

A problem has `type`, `title`, `status`, `detail`, `instance`, and ours: `code`, `advice`, `request_id` and,
where fields of a request are wrong, `errors`.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from evidence.errors import (
    AccessError,
    ForeignPage,
    KeyConflict,
    KeyRefused,
    LimitExceeded,
    MediaError,
    ModelError,
    ModelNotFound,
    NoSuchJob,
    NoSuchMedium,
    NoSuchWebhook,
    NotThere,
    RequestError,
    RequestTooLarge,
    ScopeMissing,
    SettingsError,
    SigningError,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TooMany,
    TouchstoneError,
    UsageError,
)
from testsets.build import Leaks
from worker.testset_recipes import SetTooLarge

log = logging.getLogger("touchstone.api")

MEDIA_TYPE = "application/problem+json"

# The nearest class of an error in its own line of descent decides.
STATUS: dict[type[TouchstoneError], int] = {
    TouchstoneError: 500,
    MediaError: 422,
    LimitExceeded: 413,
    ModelError: 503,
    ModelNotFound: 422,
    SettingsError: 500,
    StoreError: 500,
    StoreUnavailable: 503,
    StoreFull: 507,
    NoSuchJob: 404,
    NoSuchMedium: 404,
    NoSuchWebhook: 404,
    KeyConflict: 409,
    AccessError: 403,
    KeyRefused: 401,
    ScopeMissing: 403,
    ForeignPage: 403,
    TooMany: 429,
    RequestError: 400,
    NotThere: 404,
    RequestTooLarge: 413,
    SigningError: 422,
    UsageError: 422,
    SetTooLarge: 413,
    Leaks: 409,
}
FORESEEN = (TouchstoneError, RequestValidationError, ValidationError, HTTPException)
_RETRY_SECONDS = 5


def status_of(error: TouchstoneError) -> int:
    """The status code for one of our errors."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def of_error(error: TouchstoneError, *, path: str, request_id: str) -> JSONResponse:
    """The answer for one of our errors."""
    status = status_of(error)
    headers = {}
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
    elif status == 503:
        headers["Retry-After"] = str(_RETRY_SECONDS)
    elif status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status >= 500:
        log.error("%s %r: %s: %s", request_id, path, error.code, error)
    return problem(
        status,
        error.code,
        error.message,
        path=path,
        request_id=request_id,
        more={"advice": error.advice} if error.advice else {},
        headers=headers,
    )


def internal(*, path: str, request_id: str) -> JSONResponse:
    """The answer when we failed in a way nobody foresaw; the log says how."""
    return problem(
        500,
        "internal",
        "This is a fault of Touchstone; the server's log tells more under this request id.",
        path=path,
        request_id=request_id,
    )


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    path: str,
    request_id: str,
    more: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem document as the answer to a request."""
    body = {
        "type": f"urn:touchstone:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "request_id": request_id,
    }
    return JSONResponse(body | (more or {}), status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    for kind in FORESEEN:
        app.add_exception_handler(kind, answer)


def answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that ended in one of the errors that are `FORESEEN`."""
    path, request_id = request.url.path, str(request.scope.get("state", {}).get("request_id", ""))
    if isinstance(error, TouchstoneError):
        return of_error(error, path=path, request_id=request_id)
    if isinstance(error, HTTPException):
        codes = {404: "no_such_path", 405: "no_such_method", 400: "bad_request", 413: "request_too_large"}
        return problem(
            error.status_code,
            codes.get(error.status_code, "http"),
            f"{request.method} {path}: {error.detail}",
            path=path,
            request_id=request_id,
            headers=dict(error.headers or {}),
        )
    assert isinstance(error, RequestValidationError | ValidationError)
    return _invalid(error, path, request_id)


def _invalid(error: RequestValidationError | ValidationError, path: str, request_id: str) -> JSONResponse:
    """Which fields are wrong and why; what was sent is not sent back."""
    errors = [
        {"field": ".".join(str(part) for part in one["loc"]) or "body", "message": str(one["msg"])}
        for one in error.errors()
    ]
    first = errors[0] if errors else {"field": "body", "message": "not understood"}
    return problem(
        422,
        "invalid",
        f"{first['field']}: {first['message']}.",
        path=path,
        request_id=request_id,
        more={"errors": errors, "advice": "/openapi.json says what each field may hold."},
    )
