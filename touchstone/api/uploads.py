"""Uploads: a multipart form read as it comes, or a medium alone, hashed meanwhile, under a cap each.

A small one is read where it arrives, a large one goes to disk in worker threads. No header is believed
about its length, no name that a client gives is ever a path, and a client that goes away leaves nothing
behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from evidence.errors import LimitExceeded, RequestError, RequestTooLarge
from touchstone.api.small_forms import boundary_of, disposition_of, plain_parts
from worker.media import MediaStore
from worker.receiving import HELD_BYTES, Receiving

FILE_FIELD = "file"
_MOST_FIELDS = 64
_MOST_FIELD_BYTES = 16_384
# A client that sends too much is listened to for this much longer, so that it hears why it is refused.
_DRAINED_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Upload:
    """A file of a form, not kept yet: its field, and the name it came with."""

    field: str
    filename: str
    medium: Receiving


@dataclass(frozen=True)
class Shape:
    """What a form may hold: how many files of each field, and the fields that may come more than once.

    The files of `kept` fields get their places one by one, so that any number of them needs no memory.
    """

    files: Mapping[str, int] = field(default_factory=lambda: {FILE_FIELD: 1})
    many: Collection[str] = ()
    kept: Collection[str] = ()


@dataclass
class Form:
    """What a form held, in order: fields that come once, fields that may come again, files."""

    fields: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    files: list[Upload] = field(default_factory=list)

    @property
    def file(self) -> Upload | None:
        """The one file of a form that has no more than one."""
        return next(iter(self.files), None)

    def of(self, name: str) -> list[Upload]:
        """The files of a field."""
        return [upload for upload in self.files if upload.field == name]


async def receive_form(
    request: Request,
    media: MediaStore,
    opened: ExitStack,
    shape: Shape | None = None,
    *,
    before_file: Callable[[], None] = lambda: None,
) -> Form:
    """Read a multipart request to its end; what is not kept of its files goes with `opened`.

    `before_file` may refuse a file before it is received. Raises RequestError for what is no such form,
    LimitExceeded over the cap, StoreFull on a full disk.
    """
    shape = shape or Shape()
    boundary = _boundary(request)
    await _refuse_announced(request, _most_bytes(shape, media), media)
    reader = _Reader(boundary, media, opened, shape, before_file)
    rest, small = await _pour(request, reader.feed)
    try:
        if small and not shape.kept:  # neither the disk nor another thread is needed
            return reader.whole(rest)
        return await run_in_threadpool(reader.finish, rest)
    except (LimitExceeded, RequestTooLarge):
        await _drain(request)
        raise


async def receive_body(request: Request, media: MediaStore, opened: ExitStack) -> Receiving:
    """Read a request whose body is one medium; not kept, it goes with `opened`. Raises as `receive_form`."""
    await _refuse_announced(request, media.max_bytes, media)
    receiving = opened.enter_context(media.receive())
    rest, small = await _pour(request, receiving.write)
    try:
        if small:
            receiving.write(rest)
        else:
            await run_in_threadpool(receiving.write, rest)
    except LimitExceeded:
        await _drain(request)
        raise
    return receiving


async def _refuse_announced(request: Request, most_bytes: int, media: MediaStore) -> None:
    """Raise LimitExceeded for a request that says itself that it has more."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most_bytes:
        await _drain(request)
        raise LimitExceeded(
            f"The upload has {announced} bytes; {media.max_bytes} are allowed a file.",
            "Hand in a smaller file, or raise TOUCHSTONE_MAX_BYTES.",
        )


async def _pour(request: Request, feed: Callable[[bytes], None]) -> tuple[bytes, bool]:
    """Feed the body in large parts, in worker threads; what is left of it, and whether that is all of it."""
    gathered = bytearray()
    small = True
    try:
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= HELD_BYTES:
                small = False
                await run_in_threadpool(feed, bytes(gathered))
                gathered.clear()
    except ClientDisconnect:
        raise RequestError("The client went away before the upload was complete.") from None
    except (LimitExceeded, RequestTooLarge):
        await _drain(request)
        raise
    return bytes(gathered), small


def _most_bytes(shape: Shape, media: MediaStore) -> int:
    return sum(shape.files.values()) * media.max_bytes + _MOST_FIELDS * _MOST_FIELD_BYTES


def _boundary(request: Request) -> bytes:
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None or not 1 <= len(boundary) <= 200:
        raise RequestError(
            "The request is no multipart form with a boundary.",
            f"Send multipart/form-data with one file named {FILE_FIELD!r}, the medium alone as image/*, "
            "video/* or application/octet-stream, or JSON with a sha256.",
        )
    return boundary


async def _drain(request: Request) -> None:
    """Listen a little longer, so that the answer is not lost with the connection."""
    seen = 0
    try:
        async for chunk in request.stream():
            seen += len(chunk)
            if seen > _DRAINED_BYTES:
                return
    except (ClientDisconnect, RuntimeError):  # gone, or read to its end already
        return


class _Reader:
    """The parser of one form, and what it has found so far."""

    def __init__(
        self,
        boundary: bytes,
        media: MediaStore,
        opened: ExitStack,
        shape: Shape,
        before_file: Callable[[], None],
    ) -> None:
        self.form = Form()
        self._media, self._opened, self._shape = media, opened, shape
        self._before_file = before_file
        self._fields, self._files = 0, Counter[str]()
        self._filename = ""
        self._header_name, self._header_value = bytearray(), bytearray()
        self._disposition = b""
        self._name = ""
        self._value = bytearray()
        self._receiving: Receiving | None = None
        self._ended = False
        self._boundary = boundary

    @cached_property
    def _parser(self) -> MultipartParser:
        return MultipartParser(
            self._boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, a, b: self._header_name.extend(data[a:b]),
                "on_header_value": lambda data, a, b: self._header_value.extend(data[a:b]),
                "on_header_end": self._header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._close,
                "on_end": self._end,
            },
        )

    def whole(self, form: bytes) -> Form:
        """Read a form that is here from its first byte to its last."""
        parts = plain_parts(form, self._boundary)
        if parts is None:
            return self.finish(form)
        for disposition, content in parts:
            self._begin()
            self._disposition = disposition
            self._open()
            self._data(content, 0, len(content))
            self._close()
        return self.form

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise RequestError(f"The form cannot be read: {error}.", "Send multipart/form-data.") from None

    def finish(self, data: bytes) -> Form:
        self.feed(data)
        if not self._ended:
            raise RequestError("The form ends before its last boundary.", "Send it again, to its end.")
        return self.form

    def _begin(self) -> None:
        self._disposition, self._name = b"", ""
        self._value.clear()

    def _header(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _open(self) -> None:
        name, filename = disposition_of(self._disposition)
        self._name = name.decode("utf-8", "replace")
        most = self._shape.files.get(self._name)
        if most is not None:
            self._files[self._name] += 1
            if self._files[self._name] > most:
                raise RequestError(
                    f"The form has more than {most} {'file' if most == 1 else 'files'} of {self._name!r}.",
                    "Send the others in a request of their own.",
                )
            self._filename = _shown(filename.decode("utf-8", "replace"))
            self._before_file()
            self._receiving = self._opened.enter_context(self._media.receive())
            return
        self._fields += 1
        if not self._name or self._name in self.form.fields or self._fields > _MOST_FIELDS:
            raise RequestError(
                f"The form's field {self._name[:64]!r} is nameless, comes twice or is one of too many.",
                "Send each field once.",
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._receiving is not None:
            self._receiving.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _MOST_FIELD_BYTES:
            raise RequestTooLarge(
                f"The form's field {self._name[:64]!r} has more than {_MOST_FIELD_BYTES} bytes.",
                f"Only {', '.join(map(repr, self._shape.files))} may be large.",
            )

    def _close(self) -> None:
        if self._receiving is not None:
            medium, self._receiving = self._receiving, None
            # What a browser sends for a file that nobody chose.
            if self._filename or medium.size_bytes or self._name == FILE_FIELD:
                if self._name in self._shape.kept:
                    medium.finish()
                self.form.files.append(Upload(self._name, self._filename, medium))
            return
        value = self._value.decode("utf-8", "replace")
        if self._name in self._shape.many:
            self.form.lists.setdefault(self._name, []).append(value)
        else:
            self.form.fields[self._name] = value

    def _end(self) -> None:
        self._ended = True


def _shown(name: str) -> str:
    """A client's file name with what no page can show replaced."""
    return "".join("\ufffd" if ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 else letter for letter in name)
