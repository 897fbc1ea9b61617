"""The rows of a manifest, CSV or JSONL, one by one: each becomes an item of a batch, or says why it is none.

Used alike by the API and by `touchstone batch`, which differ in the files that may be named.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from evidence.errors import RequestError, UsageError
from touchstone.api.schemas import BatchRow
from worker.requests import BatchItem

# A row as it stands; a text in a row's place is why it is bad.
Row = Mapping[str, Any] | str

_COLUMNS = tuple(BatchRow.model_fields)


def csv_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows below the names of the columns. Raises RequestError for what is no such table."""
    table = csv.DictReader(lines)
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


def jsonl_rows(lines: Iterable[str]) -> Iterator[Row]:
    """An object a line; empty lines are passed over."""
    for line in lines:
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield row if isinstance(row, dict) else "The line is no JSON object."


def item_of(
    row: Row, number: int, *, resolve: Callable[[str], str], holds: Callable[[str], bool]
) -> BatchItem:
    """The item that row `number` asks for, or one with a `problem`.

    `resolve` gives the file of a path or raises UsageError; `holds` tells whether a sha256 may be named.
    """
    if isinstance(row, str):
        return BatchItem(name=f"row {number}", problem=row)
    try:
        asked = BatchRow.model_validate({key: value for key, value in row.items() if value not in (None, "")})
        if bool(asked.path) == bool(asked.sha256):
            raise UsageError("A row names either a path or a sha256.", "Give one of them.")
        path = resolve(asked.path) if asked.path else ""
        if asked.sha256 and not holds(asked.sha256):
            raise UsageError(f"You handed in no medium {asked.sha256}.", "Upload it first.")
    except (ValidationError, UsageError) as error:
        named = str(row.get("name") or row.get("path") or row.get("sha256") or "")
        return BatchItem(
            name=printable(named)[:1024] or f"row {number}",
            client_ref=printable(str(row.get("client_ref") or ""))[:256],
            problem=_why(error),
        )
    return BatchItem(
        name=asked.name or asked.path or asked.sha256,
        path=path,
        sha256=asked.sha256,
        client_ref=asked.client_ref,
    )


def printable(text: str) -> str:
    """The text with a sign in place of each letter that cannot be shown."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _why(error: ValidationError | UsageError) -> str:
    if isinstance(error, UsageError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}."
