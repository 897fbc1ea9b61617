"""Reports as JSON: one a line (`--jsonl`), or one document (`--json`), written as they come.

Every report validates against docs/scan.schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.verdict import Report
from touchstone.report.item import ReportItem
from touchstone.report.sink import STDOUT, Sink


def line_of(report: Report) -> str:
    """The report as one line of ASCII JSON, with its line feed; never NaN or Infinity."""
    return json.dumps(report.to_dict(), separators=(",", ":"), allow_nan=False) + "\n"


def document_of(report: Report) -> str:
    """The report as a JSON document for people too: a line each for the fields of the contract."""
    return document_of_plain(report.to_dict())


def document_of_plain(said: Mapping[str, Any]) -> str:
    """The same of a report as plain JSON types, or of another document: a line each for its fields."""
    fields = (f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in said.items())
    return "{\n" + ",\n".join(fields) + "\n}\n"


class JsonlWriter:
    """One report a line, in the order they are added."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._sink = Sink(path, append=append)

    def add(self, item: ReportItem) -> None:
        """Append one report. Raises OutputError."""
        self._sink.write(line_of(item.report))

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        self._sink.close()


class JsonWriter:
    """One JSON document on standard output: the report itself, or an array of reports.

    `single` says which; a caller asks for it when a person named exactly one file.
    """

    def __init__(self, *, single: bool) -> None:
        self._sink = Sink(STDOUT)
        self._single = single
        self._count = 0

    def add(self, item: ReportItem) -> None:
        """Append one report. Raises OutputError."""
        if self._single:
            self._sink.write(document_of(item.report))
        else:
            self._sink.write(("[" if self._count == 0 else ",") + "\n" + line_of(item.report).rstrip("\n"))
        self._count += 1

    def close(self) -> None:
        """End the array. Raises OutputError."""
        if not self._single:
            self._sink.write("\n]\n" if self._count else "[]\n")
