"""Files as answers, in parts where `Range` asks for them; a range that cannot be had is a problem."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.responses import FileResponse, StreamingResponse
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
            asked = dict(scope["headers"]).get(b"range", b"").decode("latin-1")[:200]
            size = dict(refused["headers"]).get(b"content-range", b"").decode("latin-1")
            answer = problem(
                refused["status"],
                "bad_range",
                f"The range {asked!r} is not in the file.",
                path=scope["path"],
                request_id=scope["state"]["request_id"],
                more={"advice": "Ask as `Range: bytes=FIRST-LAST`, from 0 and below the file's size."},
                headers={"Content-Range": size} if size else {},
            )
            await answer(scope, receive, send)
            if self.background is not None:  # Starlette runs it only after a file
                await self.background()


def download(lines: Iterator[str], kind: str, name: str) -> StreamingResponse:
    """A file that is written while it is sent."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type=kind, headers=headers)
