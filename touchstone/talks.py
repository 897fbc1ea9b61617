"""What the client says to a server: each conversation yields calls and pauses, and is sent the answers.

So the sync and the async client share every word, and only the way to the wire is theirs.
"""

from __future__ import annotations

import io
import json as jsonlib
import os
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx

from evidence.errors import ApiRefused, ApiUnreachable

Plain = dict[str, Any]
Medium = str | Path | bytes
T = TypeVar("T")
# A conversation: it yields a call and is sent its answer or error, or yields seconds to be slept.
Talk = Generator["Call | float", "httpx.Response | httpx.TransportError | None", T]

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
# A server that wants more than that is not busy but refuses, such as for a quota of the day.
LONGEST_PAUSE_SECONDS = 60.0
_ASK_SECONDS = 20  # how long the server may hold an answer back
_AGAIN = (429, 502, 503, 504)
ENDED = ("done", "failed", "cancelled")
_WEB = ("http://", "https://")


@dataclass(frozen=True)
class Call:
    """A request; `files` are (field, name, bytes or a path)."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[tuple[str, str, Path | bytes]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """As httpx takes it."""
        body: dict[str, Any] = {"json": self.json} if self.json is not None else {}
        if self.files:
            files = [
                (name, (filename, data if isinstance(data, bytes) else _Lazy(data)))
                for name, filename, data in self.files
            ]
            body = {"files": files, "data": dict(self.form)}
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "headers": self.headers,
            **body,
        }


def ask(call: Call) -> Talk[Any]:
    """The answer to a call, which is made again when the line or the server fails in passing."""
    if call.method == "POST":
        call = replace(call, headers={"Idempotency-Key": uuid.uuid4().hex, **call.headers})
    for attempt in range(ATTEMPTS):
        answer = yield call
        pause = FIRST_PAUSE_SECONDS * 2**attempt
        if isinstance(answer, httpx.Response):
            if answer.status_code not in _AGAIN or attempt == ATTEMPTS - 1:
                return body_of(answer)
            after = answer.headers.get("retry-after", "")
            pause = float(after) if after.isdigit() else pause  # a proxy may name a date
            if pause > LONGEST_PAUSE_SECONDS:
                return body_of(answer)
        elif attempt == ATTEMPTS - 1:
            assert answer is not None
            raise unreachable(answer)
        yield pause
    raise AssertionError("the last attempt returns or raises")


def submit(medium: Medium, options: Mapping[str, Any]) -> Talk[Plain]:
    """Hand a medium in, or name its address."""
    given = {key: value for key, value in options.items() if value is not None}
    if isinstance(medium, str) and medium.startswith(_WEB):
        call = Call("POST", "/v1/scans", json={**given, "url": medium})
    else:
        form = {key: str(value) for key, value in given.items()}
        file = ("file", form.get("name", _name_of(medium)), _data_of(medium))
        call = Call("POST", "/v1/scans", form=form, files=[file])
    made: Plain = yield from ask(call)
    return made


def wait(path: str) -> Talk[Plain]:
    """A scan, a batch or a test set, once it has ended."""
    while True:
        found: Plain = yield from ask(Call("GET", path, headers={"Prefer": f"wait={_ASK_SECONDS}"}))
        if found["state"] in ENDED:
            return found
        # A server whose patience is none must not be asked without pause; for a batch there is none.
        yield 0.05 if "/scans/" in path else 1.0


def scan(medium: Medium, options: Mapping[str, Any]) -> Talk[Plain]:
    """Hand a medium in and wait for its end."""
    made = yield from submit(medium, options)
    return (yield from wait(f"/v1/scans/{made['id']}"))


def batch(
    items: Iterable[Plain] | None, media: Iterable[Medium | tuple[str, Medium]], options: Mapping[str, Any]
) -> Talk[Plain]:
    """Begin a batch of rows, of files that come along, or of a folder."""
    given = dict(options)
    key = given.pop("key", "")
    headers = {"Idempotency-Key": key} if key else {}
    files = [_file(one) for one in media]
    if files:
        form = {name: str(value) for name, value in given.items() if value is not None}
        call = Call("POST", "/v1/batches", form=form, files=files, headers=headers)
    else:
        body = given if items is None else {**given, "items": list(items)}
        call = Call("POST", "/v1/batches", json=body, headers=headers)
    made: Plain = yield from ask(call)
    return made


def page(path: str, filters: Mapping[str, Any], cursor: str) -> Talk[Plain]:
    """A page of a list."""
    params = {**filters, **({"cursor": cursor} if cursor else {})}
    found: Plain = yield from ask(Call("GET", path, params=params))
    return found


def fetch(path: str) -> Talk[bytes]:
    """A file."""
    data: bytes = yield from ask(Call("GET", path))
    return data


def testset(recipe: str | Path, options: Mapping[str, Any]) -> Talk[Plain]:
    """Have a test set built of a ready recipe, or of one in a file."""
    given = {key: value for key, value in options.items() if value is not None}
    key = given.pop("key", "")
    named = {"text": recipe.read_text("utf-8")} if isinstance(recipe, Path) else {"recipe": recipe}
    headers = {"Idempotency-Key": key} if key else {}
    made: Plain = yield from ask(Call("POST", "/v1/testsets", json={**named, **given}, headers=headers))
    return made


def rescan(options: Mapping[str, Any]) -> Talk[Plain | None]:
    """Begin a batch of what another detector judged last, if there is any."""
    made: Plain | None = yield from ask(Call("POST", "/v1/rescans", json=dict(options)))
    return made


def rerun(scan: str, model: str) -> Talk[Plain]:
    """Scan a medium again."""
    made: Plain = yield from ask(Call("POST", f"/v1/scans/{scan}/rerun", json={"model": model}))
    return made


def about(what: str, medium: Medium, others: Mapping[str, Medium | None], fields: Plain) -> Talk[Any]:
    """Ask about a medium that is not kept: verify, trace or sign it."""
    given = {"file": medium, **{name: one for name, one in others.items() if one is not None}}
    files = [(name, _name_of(one), _data_of(one)) for name, one in given.items()]
    form = {name: str(value) for name, value in fields.items() if value}
    return (yield from ask(Call("POST", f"/v1/{what}", form=form, files=files)))


def body_of(answer: httpx.Response) -> Any:
    """What an answer holds; raises ApiRefused."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if answer.is_error:
        problem = answer.json() if kind == "application/problem+json" else {}
        detail = problem.get("detail", f"The server answered {answer.status_code}.")
        raise ApiRefused(
            detail, problem.get("advice", ""), reason=problem.get("code", "http"), status=answer.status_code
        )
    if answer.status_code == 204:
        return None
    return answer.json() if kind == "application/json" else answer.content


def complete(told: Plain, line: str) -> bool:
    """Add a line of a stream to the event that is being told; whether it is complete with that."""
    name, _, value = line.partition(": ")
    if name in ("id", "event", "data"):
        told[name] = jsonlib.loads(value) if name == "data" else int(value) if name == "id" else value
    return not line and "event" in told


def unreachable(error: httpx.TransportError) -> ApiUnreachable:
    """The error of a line that broke."""
    return ApiUnreachable(
        f"The server does not answer: {str(error) or type(error).__name__}.",
        "Check its address, and that `touchstone serve` runs there.",
    )


def behind(size: int) -> dict[str, str]:
    """What asks for a file from behind its first `size` bytes."""
    return {"Range": f"bytes={size}-"} if size else {}


def is_all(answer: httpx.Response, size: int) -> bool:
    """Whether there is nothing behind the first `size` bytes, since that is the whole file."""
    return answer.status_code == 416 and answer.headers.get("content-range") == f"bytes */{size}"


def headers_of(key: str) -> dict[str, str]:
    """What every request carries."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _file(medium: Medium | tuple[str, Medium]) -> tuple[str, str, Path | bytes]:
    name, data = medium if isinstance(medium, tuple) else (_name_of(medium), medium)
    return "media", name, _data_of(data)


def _name_of(medium: Medium) -> str:
    return "medium" if isinstance(medium, bytes) else Path(medium).name


def _data_of(medium: Medium) -> Path | bytes:
    return medium if isinstance(medium, bytes) else Path(medium)


class _Lazy(io.RawIOBase):
    """A file that is open only while it is read: ten thousand of them go with one request."""

    def __init__(self, path: Path) -> None:
        self._path, self._size = path, path.stat().st_size
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() if self._file is not None else 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """To the beginning; to the end only to learn the size."""
        if whence == os.SEEK_END:
            return self._size
        self._close()
        return 0

    def read(self, size: int = -1) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
        found = self._file.read(size)
        if not found:
            self._close()
        return found

    def close(self) -> None:
        self._close()
        super().close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
