"""What came of a batch, written as CSV, JSON lines and Parquet, one row a medium."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from evidence.errors import UsageError
from evidence.verdict import Report
from touchstone.report.csv import CLIENT_REF, CsvWriter
from touchstone.report.item import ReportItem
from touchstone.report.jsonl import JsonlWriter
from touchstone.report.parquet import ParquetWriter
from touchstone.report.sink import STDOUT
from worker.requests import BatchItem


def check_results(csv: Path | None, jsonl: Path | None) -> None:
    """Raise UsageError for two results in one place."""
    if csv == jsonl == STDOUT:
        raise UsageError("Only one result can go to standard output.", "Give the other a file name.")


def write_results(
    found: Iterable[tuple[BatchItem, Report]], csv: Path | None, jsonl: Path | None, parquet: Path | None
) -> None:
    """Write every report to each of the files. Raises OutputError, UsageError."""
    check_results(csv, jsonl)
    with ExitStack() as stack:
        table = None if csv is None else CsvWriter(csv, CLIENT_REF)
        lines = None if jsonl is None else JsonlWriter(jsonl)
        columns = None if parquet is None else ParquetWriter(parquet)
        for writer in (table, lines, columns):
            if writer is not None:
                stack.callback(writer.close)
        for item, report in found:
            if table is not None:
                table.add(ReportItem(report), item.client_ref)
            if lines is not None:
                lines.add(ReportItem(report))
            if columns is not None:
                columns.add_report(report, item.client_ref)
