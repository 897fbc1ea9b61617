"""Manifests of batches: CSV, JSONL or JSON, a row a medium. A bad row is a row of the result, with why."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evidence.errors import RequestError, UsageError
from touchstone.api.schemas import BatchRow
from touchstone.api.service import Desk
from touchstone.cli.inputs import expand
from worker.requests import BatchItem

MOST_ROWS = 100_000
_COLUMNS = tuple(BatchRow.model_fields)


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


def read_manifest(data: bytes, name: str) -> list[Mapping[str, Any] | str]:
    """The rows of a manifest, of a kind told by its content; a text in a row's place is why it is bad.

    Raises RequestError for what is no manifest at all.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"The manifest {name} is not UTF-8.", "Save it as UTF-8.") from None
    begin = text.lstrip()[:1]
    rows = list(_json(text) if begin == "[" else _jsonl(text) if begin == "{" else _csv(text))
    if len(rows) > MOST_ROWS:
        raise RequestError(
            f"The manifest has {len(rows)} rows; {MOST_ROWS} are allowed.", "Hand it in as several batches."
        )
    return rows


def items_of(desk: Desk, rows: list[Mapping[str, Any] | str], places: Places) -> list[BatchItem]:
    """The items of a batch in the order of its rows."""
    held: dict[str, bool] = {}
    return [_item(desk, row, number, places, held) for number, row in enumerate(rows, 1)]


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
        found.append(BatchItem(name=_printable(name), path=path, problem=problem))
        if len(found) > MOST_ROWS:
            raise RequestError(
                f"The folder has more than {MOST_ROWS} files.", "Hand it in as several batches."
            )
    return found


def _item(
    desk: Desk, row: Mapping[str, Any] | str, number: int, places: Places, held: dict[str, bool]
) -> BatchItem:
    if isinstance(row, str):
        return BatchItem(name=f"row {number}", problem=row)
    try:
        asked = BatchRow.model_validate({key: value for key, value in row.items() if value not in (None, "")})
        if bool(asked.path) == bool(asked.sha256):
            raise UsageError("A row names either a path or a sha256.", "Give one of them.")
        path = places.resolve(asked.path) if asked.path else ""
        if asked.sha256 and not held.setdefault(asked.sha256, desk.holds(asked.sha256)):
            raise UsageError(f"You handed in no medium {asked.sha256}.", "Upload it first.")
    except (ValidationError, UsageError) as error:
        named = str(row.get("name") or row.get("path") or row.get("sha256") or "")
        return BatchItem(
            name=_printable(named)[:1024] or f"row {number}",
            client_ref=_printable(str(row.get("client_ref") or ""))[:256],
            problem=_why(error),
        )
    return BatchItem(
        name=asked.name or asked.path or asked.sha256,
        path=path,
        sha256=asked.sha256,
        client_ref=asked.client_ref,
    )


def _why(error: ValidationError | UsageError) -> str:
    if isinstance(error, UsageError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}."


def _csv(text: str) -> Iterator[Mapping[str, Any] | str]:
    table = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = list(table.fieldnames or [])
        if not {"path", "sha256"} & set(columns) or set(columns) - set(_COLUMNS):
            raise RequestError(
                f"The manifest's columns are {', '.join(columns)[:200] or 'missing'}.",
                f"Name them in the first row: path or sha256, then {', '.join(_COLUMNS[2:])}.",
            )
        for row in table:
            if None in row or None in row.values():
                yield f"The row has not {len(columns)} cells."
            else:
                yield row
    except csv.Error as error:
        raise RequestError(f"The manifest is no CSV: {error}.", "Save it again.") from None


def _jsonl(text: str) -> Iterator[Mapping[str, Any] | str]:
    for line in text.splitlines():
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else "The line is no JSON object."


def _json(text: str) -> Iterator[Mapping[str, Any] | str]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("The manifest is no JSON.", "Save it again.") from None
    for row in rows:
        yield row if isinstance(row, dict) else "The entry is no JSON object."


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
