"""Reports as one Parquet file: the columns of the CSV with their types; and the frames of one video.

A thousand rows are in memory at once.

The only writer of Parquet; `detector/tables.py` reads it. The extra `archives` installs pyarrow.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import UsageError
from evidence.verdict import Report
from touchstone.report.csv import CLIENT_REF, COLUMNS, row_of
from touchstone.report.sink import unwritable

_ROWS = 1_000
_NUMBERS = {
    "fake_probability", "interval_low", "interval_high", "elapsed_ms", "duration_s", "false_alarm_rate",
}  # fmt: skip
_COUNTS = {"width", "height"}


class TableFile:
    """One file of row groups, of columns named with their kinds: string, float64, int64.

    Raises UsageError where pyarrow is missing, OutputError.
    """

    def __init__(self, path: Path, kinds: Mapping[str, str]) -> None:
        pyarrow = _pyarrow()
        self.path, self._rows = path, list[tuple[object, ...]]()
        self._schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in kinds.items()])
        self._table: Any = pyarrow.Table
        try:
            self._writer = pyarrow.parquet.ParquetWriter(str(path), self._schema)
        except OSError as error:
            raise unwritable(path, error) from None

    def add(self, row: tuple[object, ...]) -> None:
        """Append one row. Raises OutputError."""
        # Its texts are UTF-8, and names of files are bytes.
        self._rows.append(
            tuple(cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell for cell in row)
        )
        if len(self._rows) == _ROWS:
            self._write()

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        self._write()
        try:
            self._writer.close()
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _write(self) -> None:
        names = self._schema.names
        table = self._table.from_pylist(
            [dict(zip(names, row, strict=True)) for row in self._rows], schema=self._schema
        )
        self._rows.clear()
        try:
            self._writer.write_table(table)
        except OSError as error:
            raise unwritable(self.path, error) from None


class ParquetWriter(TableFile):
    """The columns of the CSV of a batch, with their types."""

    def __init__(self, path: Path) -> None:
        kinds = dict.fromkeys((*COLUMNS, CLIENT_REF), "string")
        super().__init__(path, kinds | dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_COUNTS, "int64"))

    def add_report(self, report: Report, client_ref: str) -> None:
        """Append one row. Raises OutputError."""
        self.add((*row_of(report), client_ref))


def frames_parquet(report: Report) -> bytes:
    """The sampled frames of a video: t, frame, fake_probability. Raises UsageError without pyarrow."""
    pyarrow = _pyarrow()
    kinds = {"t": pyarrow.float64(), "frame": pyarrow.int64(), "fake_probability": pyarrow.float64()}
    points = [
        {"t": point.t, "frame": point.frame, "fake_probability": point.fake_probability}
        for point in report.timeline
    ]
    whole = io.BytesIO()
    table = pyarrow.Table.from_pylist(points, schema=pyarrow.schema(list(kinds.items())))
    pyarrow.parquet.write_table(table, whole)
    return whole.getvalue()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UsageError(
            "A Parquet table needs pyarrow, which is not installed.",
            "Install it: pip install 'touchstone[archives]', or ask for CSV.",
        ) from None
    return pyarrow
