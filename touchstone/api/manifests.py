"""Manifests of batches: CSV, JSONL or JSON, a row a medium. A bad row is a row of the result, with why."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from evidence.errors import RequestError, UsageError
from touchstone.api.rows import Row, csv_rows, item_of, jsonl_rows, printable
from touchstone.api.service import Desk
from touchstone.cli.inputs import expand
from worker.fetching import check_web, is_elsewhere, is_web
from worker.places import list_place
from worker.requests import BatchItem
from worker.settings import Settings

MOST_ROWS = 100_000


@dataclass(frozen=True)
class Places:
    """Which media a batch may name: files under `roots`, addresses under `remote`, and those of the web.

    A relative path begins at `folder`, which is one of them.
    """

    settings: Settings
    roots: tuple[Path, ...]
    remote: tuple[str, ...] = ()
    folder: str = ""

    def resolve(self, path: str) -> str:
        """The file, links followed, or the address; raises UsageError outside, the same if it exists."""
        if is_web(path):
            check_web(path, self.settings)
            return path
        if is_elsewhere(self.folder) and not is_elsewhere(path):
            path = f"{self.folder}/{path}"
        path = path.removeprefix("file://")
        if is_elsewhere(path):
            return self._address(path)
        try:
            found = (Path(self.folder) / path).resolve()
        except (OSError, ValueError, RuntimeError):
            raise UsageError(f"{path!r} cannot be a path.", "Name a file.") from None
        if not found.is_absolute() or not any(found.is_relative_to(root) for root in self.roots):
            raise UsageError(
                f"{path} is in no folder that batches may name.",
                "Upload the file, or have its folder added to TOUCHSTONE_FOLDERS.",
            )
        return str(found)

    def _address(self, path: str) -> str:
        parts = path.rstrip("/").split("/")
        if ".." in parts or not any(f"{path}/".startswith(f"{root}/") for root in self.remote):
            raise UsageError(
                f"{path} is in no place that batches may name.", "Have its place added to TOUCHSTONE_PLACES."
            )
        return path.rstrip("/")


def places_of(desk: Desk, folder: str) -> Places:
    """What this tenant may name: nothing of the server's own without the scope admin."""
    settings = desk.service.settings
    places = Places(settings, *((settings.batch_folders, settings.batch_places) if desk.admin else ((), ())))
    return replace(places, folder=places.resolve(folder)) if folder else places


def read_manifest(data: bytes, name: str) -> list[Row]:
    """The rows of a manifest, of a kind told by its content; a text in a row's place is why it is bad.

    Raises RequestError for what is no manifest at all.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"The manifest {name} is not UTF-8.", "Save it as UTF-8.") from None
    begin = text.lstrip()[:1]
    rows = list(
        _json(text)
        if begin == "["
        else jsonl_rows(text.splitlines())
        if begin == "{"
        else csv_rows(io.StringIO(text, newline=""))
    )
    if len(rows) > MOST_ROWS:
        raise RequestError(
            f"The manifest has {len(rows)} rows; {MOST_ROWS} are allowed.", "Hand it in as several batches."
        )
    return rows


def items_of(desk: Desk, rows: list[Row], places: Places) -> list[BatchItem]:
    """The items of a batch in the order of its rows."""
    held: dict[str, bool] = {}

    def holds(sha256: str) -> bool:
        return held.setdefault(sha256, desk.holds(sha256))

    return [item_of(row, number, resolve=places.resolve, holds=holds) for number, row in enumerate(rows, 1)]


def folder_items(places: Places) -> list[BatchItem]:
    """Every file below the folder that was named, in order of name."""
    found: list[BatchItem] = []
    if is_elsewhere(places.folder):
        for address in list_place(places.folder, places.settings):
            name = address.removeprefix(places.folder).lstrip("/")
            found.append(BatchItem(name=printable(name), path=address))
            _refuse_more(found)
        return found
    for item in expand([places.folder]):
        name = os.path.relpath(item.path, places.folder)
        problem = "" if item.problem is None else str(item.problem)
        try:
            path = places.resolve(item.path)
        except UsageError as error:  # a link that leads out of the roots
            path, problem = "", str(error)
        found.append(BatchItem(name=printable(name), path=path, problem=problem))
        _refuse_more(found)
    return found


def _refuse_more(found: list[BatchItem]) -> None:
    if len(found) > MOST_ROWS:
        raise RequestError(f"The folder has more than {MOST_ROWS} files.", "Hand it in as several batches.")


def _json(text: str) -> Iterator[Row]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("The manifest is no JSON.", "Save it again.") from None
    for row in rows:
        yield row if isinstance(row, dict) else "The entry is no JSON object."
