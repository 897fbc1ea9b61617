"""A small client of the API, for programs: scan, wait, list, batch; sync and async alike.

with Client("http://127.0.0.1:8700") as touchstone:
    print(touchstone.scan("photo.jpg")["verdict"])

What is asked for twice because a line broke is done once: every POST carries its own idempotency key.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from evidence.errors import ApiRefused, ApiUnreachable

Plain = dict[str, Any]
T = TypeVar("T")
# A conversation: it yields a call and is sent its answer or error, or yields seconds to be slept.
Talk = Generator["_Call | float", "httpx.Response | httpx.TransportError | None", T]

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
# A server that wants more than that is not busy but refuses, such as for a quota of the day.
LONGEST_PAUSE_SECONDS = 60.0
_ASK_SECONDS = 20  # how long the server may hold an answer back
_AGAIN = (429, 502, 503, 504)
_ENDED = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, Any] = field(default_factory=dict)
    file: tuple[str, bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """As httpx takes it."""
        body: dict[str, Any] = {"json": self.json} if self.json is not None else {}
        if self.file is not None:
            body = {"files": {"file": self.file}, "data": dict(self.form)}
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "headers": self.headers,
            **body,
        }


class Client:
    """The API at `url`, with a `key` where the server asks for one. Raises ApiRefused, ApiUnreachable."""

    def __init__(
        self, url: str = "http://127.0.0.1:8700", *, key: str = "", timeout_seconds: float = 60
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout_seconds)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def scan(self, medium: str | Path | bytes, **options: Any) -> Plain:
        """Hand a medium in and wait for its end; the scan with its `report`."""
        return self._talk(_scan(medium, options))

    def submit(self, medium: str | Path | bytes, **options: Any) -> Plain:
        """Hand a medium in: a path, or bytes with `name="..."`; the scan as it stands then."""
        return self._talk(_submit(medium, options))

    def wait(self, scan: str) -> Plain:
        """The scan once it has ended."""
        return self._talk(_wait(scan))

    def events(self, scan: str, *, after: int = 0) -> Iterator[Plain]:
        """What happens to a scan, {"id", "event", "data"} each, until it ends."""
        try:
            with self._http.stream("GET", f"/v1/scans/{scan}/events", params={"after": after}) as answer:
                if answer.is_error:
                    answer.read()
                    _body(answer)
                told: Plain = {}
                for line in answer.iter_lines():
                    if _complete(told, line):
                        yield told
                        told = {}
        except httpx.TransportError as error:
            raise _unreachable(error) from None

    def scans(self, **filters: Any) -> Iterator[Plain]:
        """The scans there are, newest first, read page by page."""
        return self._pages("/v1/scans", filters)

    def batch(self, items: Iterable[Plain] | None = None, **options: Any) -> Plain:
        """Start a batch of `items`, or of every file in a `folder` of the server."""
        return self._talk(_batch(items, options))

    def batch_items(self, batch: str, **filters: Any) -> Iterator[Plain]:
        """The media of a batch in their order, each with its report."""
        return self._pages(f"/v1/batches/{batch}/items", filters)

    def call(self, method: str, path: str, **parts: Any) -> Any:
        """Any other request of docs/openapi.json: `params` and `json` as httpx takes them."""
        return self._talk(_ask(_Call(method, path, **parts)))

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Plain]:
        page: Plain = {"next": ""}
        while page["next"] is not None:
            page = self._talk(_page(path, filters, page["next"]))
            yield from page["items"]

    def _talk(self, talk: Talk[T]) -> T:
        answer: httpx.Response | httpx.TransportError | None = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, _Call):
                try:
                    answer = self._http.request(**step.arguments())
                except httpx.TransportError as error:
                    answer = error
            else:
                time.sleep(step)
                answer = None


class AsyncClient:
    """`Client` for programs that await; the same methods, the same answers."""

    def __init__(
        self, url: str = "http://127.0.0.1:8700", *, key: str = "", timeout_seconds: float = 60
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout_seconds)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def scan(self, medium: str | Path | bytes, **options: Any) -> Plain:
        """Hand a medium in and wait for its end; the scan with its `report`."""
        return await self._talk(_scan(medium, options))

    async def submit(self, medium: str | Path | bytes, **options: Any) -> Plain:
        """Hand a medium in; the scan as it stands then."""
        return await self._talk(_submit(medium, options))

    async def wait(self, scan: str) -> Plain:
        """The scan once it has ended."""
        return await self._talk(_wait(scan))

    async def events(self, scan: str, *, after: int = 0) -> AsyncIterator[Plain]:
        """What happens to a scan, {"id", "event", "data"} each, until it ends."""
        path = f"/v1/scans/{scan}/events"
        try:
            async with self._http.stream("GET", path, params={"after": after}) as answer:
                if answer.is_error:
                    await answer.aread()
                    _body(answer)
                told: Plain = {}
                async for line in answer.aiter_lines():
                    if _complete(told, line):
                        yield told
                        told = {}
        except httpx.TransportError as error:
            raise _unreachable(error) from None

    async def scans(self, **filters: Any) -> AsyncIterator[Plain]:
        """The scans there are, newest first, read page by page."""
        async for item in self._pages("/v1/scans", filters):
            yield item

    async def batch(self, items: Iterable[Plain] | None = None, **options: Any) -> Plain:
        """Start a batch of `items`, or of every file in a `folder` of the server."""
        return await self._talk(_batch(items, options))

    async def batch_items(self, batch: str, **filters: Any) -> AsyncIterator[Plain]:
        """The media of a batch in their order, each with its report."""
        async for item in self._pages(f"/v1/batches/{batch}/items", filters):
            yield item

    async def call(self, method: str, path: str, **parts: Any) -> Any:
        """Any other request of docs/openapi.json."""
        return await self._talk(_ask(_Call(method, path, **parts)))

    async def _pages(self, path: str, filters: Mapping[str, Any]) -> AsyncIterator[Plain]:
        page: Plain = {"next": ""}
        while page["next"] is not None:
            page = await self._talk(_page(path, filters, page["next"]))
            for item in page["items"]:
                yield item

    async def _talk(self, talk: Talk[T]) -> T:
        answer: httpx.Response | httpx.TransportError | None = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, _Call):
                try:
                    answer = await self._http.request(**step.arguments())
                except httpx.TransportError as error:
                    answer = error
            else:
                await asyncio.sleep(step)
                answer = None


def _ask(call: _Call) -> Talk[Any]:
    """The answer to a call, which is made again when the line or the server fails in passing."""
    if call.method == "POST":
        call = replace(call, headers={"Idempotency-Key": uuid.uuid4().hex, **call.headers})
    for attempt in range(ATTEMPTS):
        answer = yield call
        pause = FIRST_PAUSE_SECONDS * 2**attempt
        if isinstance(answer, httpx.Response):
            if answer.status_code not in _AGAIN or attempt == ATTEMPTS - 1:
                return _body(answer)
            after = answer.headers.get("retry-after", "")
            pause = float(after) if after.isdigit() else pause  # a proxy may name a date
            if pause > LONGEST_PAUSE_SECONDS:
                return _body(answer)
        elif attempt == ATTEMPTS - 1:
            assert answer is not None
            raise _unreachable(answer)
        yield pause
    raise AssertionError("the last attempt returns or raises")


def _submit(medium: str | Path | bytes, options: Mapping[str, Any]) -> Talk[Plain]:
    name = "medium" if isinstance(medium, bytes) else Path(medium).name
    data = medium if isinstance(medium, bytes) else Path(medium).read_bytes()
    form = {key: str(value) for key, value in options.items() if value is not None}
    scan: Plain = yield from _ask(_Call("POST", "/v1/scans", form=form, file=(form.get("name", name), data)))
    return scan


def _wait(scan: str) -> Talk[Plain]:
    while True:
        found: Plain = yield from _ask(
            _Call("GET", f"/v1/scans/{scan}", headers={"Prefer": f"wait={_ASK_SECONDS}"})
        )
        if found["state"] in _ENDED:
            return found
        yield 0.05  # a server whose patience is none must not be asked without pause


def _scan(medium: str | Path | bytes, options: Mapping[str, Any]) -> Talk[Plain]:
    scan = yield from _submit(medium, options)
    return (yield from _wait(scan["id"]))


def _batch(items: Iterable[Plain] | None, options: Mapping[str, Any]) -> Talk[Plain]:
    body = dict(options) if items is None else {**options, "items": list(items)}
    batch: Plain = yield from _ask(_Call("POST", "/v1/batches", json=body))
    return batch


def _page(path: str, filters: Mapping[str, Any], cursor: str) -> Talk[Plain]:
    params = {**filters, **({"cursor": cursor} if cursor else {})}
    page: Plain = yield from _ask(_Call("GET", path, params=params))
    return page


def _body(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.is_error:
        problem = answer.json() if kind == "application/problem+json" else {}
        detail = problem.get("detail", f"The server answered {answer.status_code}.")
        raise ApiRefused(
            detail, problem.get("advice", ""), reason=problem.get("code", "http"), status=answer.status_code
        )
    return answer.json() if kind == "application/json" else answer.content


def _complete(told: Plain, line: str) -> bool:
    """Add a line of a stream to the event that is being told; whether it is complete with that."""
    name, _, value = line.partition(": ")
    if name in ("id", "event", "data"):
        told[name] = json.loads(value) if name == "data" else int(value) if name == "id" else value
    return not line and "event" in told


def _unreachable(error: httpx.TransportError) -> ApiUnreachable:
    return ApiUnreachable(
        f"The server does not answer: {str(error) or type(error).__name__}.",
        "Check its address, and that `touchstone serve` runs there.",
    )


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
