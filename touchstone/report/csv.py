"""Reports as CSV: one row an input file, in input order, a row for every file that failed too.

The first columns are the contract and never move; new ones are added behind them.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from evidence.verdict import Report
from touchstone.report.item import ReportItem
from touchstone.report.sink import Sink

COLUMNS = (
    "path", "kind", "status", "verdict", "fake_probability", "interval_low", "interval_high",
    "generator", "reason", "model", "elapsed_ms",
    "sha256", "width", "height", "duration_s", "false_alarm_rate", "stability", "in_domain", "message",
    "decided_by",
)  # fmt: skip
CLIENT_REF = "client_ref"  # of a batch, behind the others: what its owner calls a medium


class CsvWriter:
    """RFC 4180 with a header row; numbers with a point, empty where there is none."""

    def __init__(self, path: Path, *further: str) -> None:
        self._sink = Sink(path)
        self._write((*COLUMNS, *further))

    def add(self, item: ReportItem, *further: object) -> None:
        """Append one row, with the cells of the `further` columns. Raises OutputError."""
        self._write((*row_of(item.report), *further))

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        self._sink.close()

    def _write(self, row: tuple[object, ...]) -> None:
        text = io.StringIO()
        csv.writer(text).writerow(row)
        self._sink.write(text.getvalue())


def row_of(report: Report) -> tuple[object, ...]:
    """The cells of one report, in the order of `COLUMNS`; None is an empty cell."""
    media, reason = report.media, report.reason
    low, high = report.interval or (None, None)
    tried = report.stability.tried
    return (
        media["path"],
        media["kind"],
        report.status,
        report.verdict,
        report.fake_probability,
        low,
        high,
        report.attribution[0].generator if report.attribution else None,
        reason.code if reason else None,
        report.engine.get("detector"),
        report.timings.get("total_ms"),
        media["sha256"],
        media["width"],
        media["height"],
        media["duration_s"],
        report.threshold.false_alarm_rate if report.threshold else None,
        f"{report.stability.agreeing}/{tried}" if tried else None,
        str(report.domain.in_domain).lower() if report.verdict else None,
        reason.message if reason else None,
        report.decided_by if report.verdict else None,
    )
