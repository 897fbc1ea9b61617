"""Files as answers, in parts where `Range` asks for them; a range that cannot be had is a problem."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from touchstone.api.problems import problem


class Sent(FileResponse):
    """A file whose refusals are problem documents, where Starlette's are plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Message | None = None

        async def unless_refused(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = message
            if refused is None:
                await send(message)

        await super().__call__(scope, receive, unless_refused)
        if refused is not None:
            asked = dict(scope["headers"]).get(b"range", b"").decode("latin-1")
            size = dict(refused["headers"]).get(b"content-range", b"").decode("latin-1")
            request_id = scope["state"]["request_id"]
            answer = bad_range(asked, scope["path"], request_id, size, refused["status"])
            await answer(scope, receive, send)
            if self.background is not None:  # Starlette runs it only after a file
                await self.background()


def bad_range(asked: str, path: str, request_id: str, size: str, status: int = 416) -> JSONResponse:
    """The problem of a `Range` that cannot be had; `size` is the `Content-Range` of what there is."""
    return problem(
        status,
        "bad_range",
        f"The range {asked[:200]!r} is not in the file.",
        path=path,
        request_id=request_id,
        more={"advice": "Ask as `Range: bytes=FIRST-LAST`, from 0 and below the file's size."},
        headers={"Content-Range": size} if size else {},
    )


def download(lines: Iterator[str], kind: str, name: str) -> StreamingResponse:
    """A file that is written while it is sent."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=kind, headers=headers)
