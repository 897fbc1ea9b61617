"""Manifests of batches: CSV, JSONL or JSON, a row a medium. A bad row is a row of the result, with why."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import RequestError, UsageError
from touchstone.api.rows import Row, csv_rows, item_of, jsonl_rows, printable
from touchstone.api.service import Desk
from touchstone.cli.inputs import expand
from worker.requests import BatchItem

MOST_ROWS = 100_000


@dataclass(frozen=True)
class Places:
    """Which files on the server a batch may name: those under `roots`, relative ones beside `folder`."""

    roots: tuple[Path, ...]
    folder: str = ""

    def resolve(self, path: str) -> str:
        """The file, links followed; raises UsageError outside the roots, in the same words if it exists."""
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


def places_of(desk: Desk, folder: str) -> Places:
    """What this tenant may name: nothing without the scope admin, since the server's files are nobody's."""
    roots = desk.service.settings.batch_folders if desk.admin else ()
    places = Places(roots)
    return Places(roots, places.resolve(folder)) if folder else places


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
    found = []
    for item in expand([places.folder]):
        name = os.path.relpath(item.path, places.folder)
        problem = "" if item.problem is None else str(item.problem)
        try:
            path = places.resolve(item.path)
        except UsageError as error:  # a link that leads out of the roots
            path, problem = "", str(error)
        found.append(BatchItem(name=printable(name), path=path, problem=problem))
        if len(found) > MOST_ROWS:
            raise RequestError(
                f"The folder has more than {MOST_ROWS} files.", "Hand it in as several batches."
            )
    return found


def _json(text: str) -> Iterator[Row]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("The manifest is no JSON.", "Save it again.") from None
    for row in rows:
        yield row if isinstance(row, dict) else "The entry is no JSON object."
