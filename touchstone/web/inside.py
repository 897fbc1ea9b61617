"""The page's way to the API: `/v1` of the same application, called in process on the visitor's behalf.

What a page may see and do is thereby what the visitor's key may; no rule is written a second time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import Request, Response

from evidence.errors import ApiRefused

# What tells the API who asks and from where; everything else is between browser and page.
_FORWARDED = ("host", "origin", "authorization", "cookie", "sec-fetch-site", "content-type", "content-length")


class Inside:
    """Asks the API as the visitor of `request` would. Every call raises ApiRefused where the API refuses."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def get(self, path: str, **query: object) -> Any:
        """The JSON at `path`; parameters that are empty are left out."""
        asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return await self._send("GET", path, params=asked)

    async def post(self, path: str, json: Mapping[str, Any] | None = None) -> Any:
        """What the API answers to `json` at `path`."""
        return await self._send("POST", path, json=json)

    async def delete(self, path: str) -> Any:
        """What the API answers when `path` is deleted."""
        return await self._send("DELETE", path)

    async def pass_on(self, path: str) -> Any:
        """Hand the visitor's own body on, as it streams in."""
        return await self._send("POST", path, content=self._body())

    async def pass_on_for_file(self, path: str) -> Response:
        """The same where the answer is a file: as the API sends it."""
        answer = await self._answer("POST", path, content=self._body())
        kept = ("content-type", "content-disposition")
        headers = {name: answer.headers[name] for name in kept if name in answer.headers}
        return Response(answer.content, headers={**headers, "X-Content-Type-Options": "nosniff"})

    async def _body(self) -> AsyncIterator[bytes]:
        async for chunk in self._request.stream():
            yield chunk

    async def _send(self, method: str, path: str, **body: Any) -> Any:
        answer = await self._answer(method, path, **body)
        return answer.json() if answer.content else None

    async def _answer(self, method: str, path: str, **body: Any) -> httpx.Response:
        names = _FORWARDED if "content" in body else _FORWARDED[:-2]
        headers = {name: value for name in names if (value := self._request.headers.get(name))}
        client = self._request.client or ("127.0.0.1", 0)
        transport = httpx.ASGITransport(self._request.app, client=(client[0], client[1]))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside", timeout=None) as http:
            # An id is a part of a path, whatever a visitor writes in its place.
            answer = await http.request(method, quote(path), headers=headers, **body)
        if answer.is_error:
            raise _refusal(answer)
        return answer


def _refusal(answer: httpx.Response) -> ApiRefused:
    """The API's problem (RFC 9457) as an error a page can show."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    said = problem.get("detail") or problem.get("title") or f"The request was refused ({answer.status_code})."
    return ApiRefused(str(said), str(problem.get("advice") or ""), status=answer.status_code)
