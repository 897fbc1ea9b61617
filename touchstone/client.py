"""A small client of the API, for programs: scan, wait, list, batch; sync and async alike.

with Client("http://127.0.0.1:8700") as touchstone:
    print(touchstone.scan("photo.jpg")["verdict"])

What is asked for twice because a line broke is done once: every POST carries its own idempotency key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from touchstone import talks
from touchstone.talks import Call, Medium, Plain, T, Talk


class Client:
    """The API at `url`, with a `key` where the server asks for one. Raises ApiRefused, ApiUnreachable."""

    def __init__(
        self, url: str = "http://127.0.0.1:8700", *, key: str = "", timeout_seconds: float = 60
    ) -> None:
        self._http = httpx.Client(base_url=url, headers=talks.headers_of(key), timeout=timeout_seconds)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def events(self, scan: str, *, after: int = 0) -> Iterator[Plain]:
        """What happens to a scan, {"id", "event", "data"} each, until it ends."""
        try:
            with self._http.stream("GET", f"/v1/scans/{scan}/events", params={"after": after}) as answer:
                if answer.is_error:
                    answer.read()
                    talks.body_of(answer)
                told: Plain = {}
                for line in answer.iter_lines():
                    if talks.complete(told, line):
                        yield told
                        told = {}
        except httpx.TransportError as error:
            raise talks.unreachable(error) from None

    def scan(self, medium: Medium, **options: Any) -> Plain:
        """Hand a medium in and wait for its end; the scan with its `report`."""
        return self._talk(talks.scan(medium, options))

    def submit(self, medium: Medium, **options: Any) -> Plain:
        """Hand a medium in: a path, an address of the web, or bytes with `name="..."`; the scan as it is."""
        return self._talk(talks.submit(medium, options))

    def wait(self, scan: str) -> Plain:
        """The scan once it has ended."""
        return self._talk(talks.wait(f"/v1/scans/{scan}"))

    def rerun(self, scan: str, *, model: str = "") -> Plain:
        """Scan the same medium again, by another detector or a newer one; the new scan as it stands."""
        return self._talk(talks.rerun(scan, model))

    def report(self, scan: str, kind: str = "pdf") -> bytes:
        """The report for people: pdf (where the server has WeasyPrint) or html."""
        return self._talk(talks.fetch(f"/v1/scans/{scan}/report.{kind}"))

    def scans(self, **filters: Any) -> Iterator[Plain]:
        """The scans there are, newest first, read page by page."""
        return self._pages("/v1/scans", filters)

    def batch(
        self,
        items: Iterable[Plain] | None = None,
        *,
        media: Iterable[Medium | tuple[str, Medium]] = (),
        **options: Any,
    ) -> Plain:
        """Start a batch of `items`, of `media` that are sent along, or of all in a `folder` of the server.

        Media are paths, or a name and a path or bytes; under the same `key` the batch is started once.
        """
        return self._talk(talks.batch(items, media, options))

    def wait_batch(self, batch: str) -> Plain:
        """The batch once it has ended."""
        return self._talk(talks.wait(f"/v1/batches/{batch}"))

    def retry_batch(self, batch: str) -> int:
        """Work again on what failed for a cause that may pass; how many media those are."""
        return int(self._talk(talks.ask(Call("POST", f"/v1/batches/{batch}/retry")))["retried"])

    def batch_items(self, batch: str, **filters: Any) -> Iterator[Plain]:
        """The media of a batch in their order, each with its report."""
        return self._pages(f"/v1/batches/{batch}/items", filters)

    def results(self, batch: str, kind: str = "csv") -> bytes:
        """The whole table of a batch: csv, jsonl or parquet."""
        return self._talk(talks.fetch(f"/v1/batches/{batch}/results.{kind}"))

    def verify(self, medium: Medium, *, sidecar: Medium | None = None, name: str = "") -> Plain:
        """What a medium says of itself: credentials, claims, watermark; nothing is kept."""
        found: Plain = self._talk(talks.about("verify", medium, {"sidecar": sidecar}, {"name": name}))
        return found

    def trace(self, medium: Medium, *, name: str = "") -> Plain:
        """Where a medium, or what looks like it, was seen before; nothing is kept."""
        found: Plain = self._talk(talks.about("trace", medium, {}, {"name": name}))
        return found

    def sign(self, medium: Medium, *, parent: Medium | None = None, **fields: Any) -> bytes:
        """A medium with the service's signature, or its sidecar; `what` is generated, edited or scanned."""
        said = {"as" if key == "what" else key: value for key, value in fields.items()}
        signed: bytes = self._talk(talks.about("sign", medium, {"parent": parent}, said))
        return signed

    def testset(self, recipe: str | Path, **options: Any) -> Plain:
        """Have a test set built of a ready recipe by its name, or of one in a file; the set as it stands."""
        return self._talk(talks.testset(recipe, options))

    def wait_testset(self, testset: str) -> Plain:
        """The test set once it has ended."""
        return self._talk(talks.wait(f"/v1/testsets/{testset}"))

    def fetch_testset(self, testset: str, to: Path) -> Path:
        """Write the tar of a set to a file; one that broke off goes on where it was."""
        path = f"/v1/testsets/{testset}/testset.tar"
        with to.open("ab") as file:
            headers = talks.behind(file.tell())
            try:
                with self._http.stream("GET", path, headers=headers) as answer:
                    if answer.is_error:
                        answer.read()
                        if not talks.is_all(answer, file.tell()):
                            talks.body_of(answer)
                    else:
                        for chunk in answer.iter_bytes():
                            file.write(chunk)
            except httpx.TransportError as error:
                raise talks.unreachable(error) from None
        return to

    def rescan(self, **options: Any) -> Plain | None:
        """The batch of everything that another detector judged last; None where there is nothing."""
        return self._talk(talks.rescan(options))

    def changes(self, batch: str, kind: str = "csv") -> bytes:
        """The verdicts of a batch that another detector had given otherwise: csv or jsonl."""
        return self._talk(talks.fetch(f"/v1/batches/{batch}/changes.{kind}"))

    def call(self, method: str, path: str, **parts: Any) -> Any:
        """Any other request of docs/openapi.json: `params` and `json` as httpx takes them."""
        return self._talk(talks.ask(Call(method, path, **parts)))

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[Plain]:
        page: Plain = {"next": ""}
        while page["next"] is not None:
            page = self._talk(talks.page(path, filters, page["next"]))
            yield from page["items"]

    def _talk(self, talk: Talk[T]) -> T:
        answer: httpx.Response | httpx.TransportError | None = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, Call):
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
        self._http = httpx.AsyncClient(base_url=url, headers=talks.headers_of(key), timeout=timeout_seconds)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def events(self, scan: str, *, after: int = 0) -> AsyncIterator[Plain]:
        """What happens to a scan, {"id", "event", "data"} each, until it ends."""
        path = f"/v1/scans/{scan}/events"
        try:
            async with self._http.stream("GET", path, params={"after": after}) as answer:
                if answer.is_error:
                    await answer.aread()
                    talks.body_of(answer)
                told: Plain = {}
                async for line in answer.aiter_lines():
                    if talks.complete(told, line):
                        yield told
                        told = {}
        except httpx.TransportError as error:
            raise talks.unreachable(error) from None

    async def scan(self, medium: Medium, **options: Any) -> Plain:
        """Hand a medium in and wait for its end; the scan with its `report`."""
        return await self._talk(talks.scan(medium, options))

    async def submit(self, medium: Medium, **options: Any) -> Plain:
        """Hand a medium in: a path, an address of the web, or bytes with `name="..."`; the scan as it is."""
        return await self._talk(talks.submit(medium, options))

    async def wait(self, scan: str) -> Plain:
        """The scan once it has ended."""
        return await self._talk(talks.wait(f"/v1/scans/{scan}"))

    async def rerun(self, scan: str, *, model: str = "") -> Plain:
        """Scan the same medium again, by another detector or a newer one; the new scan as it stands."""
        return await self._talk(talks.rerun(scan, model))

    async def report(self, scan: str, kind: str = "pdf") -> bytes:
        """The report for people: pdf (where the server has WeasyPrint) or html."""
        return await self._talk(talks.fetch(f"/v1/scans/{scan}/report.{kind}"))

    async def scans(self, **filters: Any) -> AsyncIterator[Plain]:
        """The scans there are, newest first, read page by page."""
        async for item in self._pages("/v1/scans", filters):
            yield item

    async def batch(
        self,
        items: Iterable[Plain] | None = None,
        *,
        media: Iterable[Medium | tuple[str, Medium]] = (),
        **options: Any,
    ) -> Plain:
        """Start a batch of `items`, of `media` that are sent along, or of all in a `folder` of the server.

        Media are paths, or a name and a path or bytes; under the same `key` the batch is started once.
        """
        return await self._talk(talks.batch(items, media, options))

    async def wait_batch(self, batch: str) -> Plain:
        """The batch once it has ended."""
        return await self._talk(talks.wait(f"/v1/batches/{batch}"))

    async def retry_batch(self, batch: str) -> int:
        """Work again on what failed for a cause that may pass; how many media those are."""
        found = await self._talk(talks.ask(Call("POST", f"/v1/batches/{batch}/retry")))
        return int(found["retried"])

    async def batch_items(self, batch: str, **filters: Any) -> AsyncIterator[Plain]:
        """The media of a batch in their order, each with its report."""
        async for item in self._pages(f"/v1/batches/{batch}/items", filters):
            yield item

    async def results(self, batch: str, kind: str = "csv") -> bytes:
        """The whole table of a batch: csv, jsonl or parquet."""
        return await self._talk(talks.fetch(f"/v1/batches/{batch}/results.{kind}"))

    async def verify(self, medium: Medium, *, sidecar: Medium | None = None, name: str = "") -> Plain:
        """What a medium says of itself: credentials, claims, watermark; nothing is kept."""
        found: Plain = await self._talk(talks.about("verify", medium, {"sidecar": sidecar}, {"name": name}))
        return found

    async def trace(self, medium: Medium, *, name: str = "") -> Plain:
        """Where a medium, or what looks like it, was seen before; nothing is kept."""
        found: Plain = await self._talk(talks.about("trace", medium, {}, {"name": name}))
        return found

    async def sign(self, medium: Medium, *, parent: Medium | None = None, **fields: Any) -> bytes:
        """A medium with the service's signature, or its sidecar; `what` is generated, edited or scanned."""
        said = {"as" if key == "what" else key: value for key, value in fields.items()}
        signed: bytes = await self._talk(talks.about("sign", medium, {"parent": parent}, said))
        return signed

    async def testset(self, recipe: str | Path, **options: Any) -> Plain:
        """Have a test set built of a ready recipe by its name, or of one in a file; the set as it stands."""
        return await self._talk(talks.testset(recipe, options))

    async def wait_testset(self, testset: str) -> Plain:
        """The test set once it has ended."""
        return await self._talk(talks.wait(f"/v1/testsets/{testset}"))

    async def fetch_testset(self, testset: str, to: Path) -> Path:
        """Write the tar of a set to a file; one that broke off goes on where it was."""
        path = f"/v1/testsets/{testset}/testset.tar"
        with to.open("ab") as file:
            headers = talks.behind(file.tell())
            try:
                async with self._http.stream("GET", path, headers=headers) as answer:
                    if answer.is_error:
                        await answer.aread()
                        if not talks.is_all(answer, file.tell()):
                            talks.body_of(answer)
                    else:
                        async for chunk in answer.aiter_bytes():
                            file.write(chunk)
            except httpx.TransportError as error:
                raise talks.unreachable(error) from None
        return to

    async def rescan(self, **options: Any) -> Plain | None:
        """The batch of everything that another detector judged last; None where there is nothing."""
        return await self._talk(talks.rescan(options))

    async def changes(self, batch: str, kind: str = "csv") -> bytes:
        """The verdicts of a batch that another detector had given otherwise: csv or jsonl."""
        return await self._talk(talks.fetch(f"/v1/batches/{batch}/changes.{kind}"))

    async def call(self, method: str, path: str, **parts: Any) -> Any:
        """Any other request of docs/openapi.json: `params` and `json` as httpx takes them."""
        return await self._talk(talks.ask(Call(method, path, **parts)))

    async def _pages(self, path: str, filters: Mapping[str, Any]) -> AsyncIterator[Plain]:
        page: Plain = {"next": ""}
        while page["next"] is not None:
            page = await self._talk(talks.page(path, filters, page["next"]))
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
            if isinstance(step, Call):
                try:
                    answer = await self._http.request(**step.arguments())
                except httpx.TransportError as error:
                    answer = error
            else:
                await asyncio.sleep(step)
                answer = None
