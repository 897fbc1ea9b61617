"""`touchstone scan --sign`: each report that a scan wrote gets Content Credentials about it, in a sidecar."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evidence.errors import UsageError
from evidence.verdict import Report
from provenance.signing import Statement, scan_data, sign_file
from worker.settings import Settings
from worker.signing import signing_key

MOST_SCANS = 1_000  # that a manifest tells one by one; the signature covers the report with all of them


def signing(files: Sequence[Path], settings: Settings, *, pdf: Path | None) -> SignedReports:
    """What signs the reports of a scan. Raises UsageError where none is a file, SigningError."""
    if not files and pdf is None:
        raise UsageError("There is no report to sign.", "Name one with --html, --pdf, --jsonl or --csv.")
    return SignedReports(settings)


class SignedReports:
    """Signs reports by the key of the settings, which is opened now. Raises SigningError."""

    def __init__(self, settings: Settings) -> None:
        self._key = signing_key(settings)
        self._found: list[dict[str, Any]] = []
        self._verdicts: Counter[str] = Counter()
        if settings.signing_cert is None:
            print(
                "touchstone: signed by this machine's development authority, which no trust list knows.",
                file=sys.stderr,
            )

    def add(self, report: Report) -> None:
        """Take in what the next medium's scan found."""
        self._verdicts[report.verdict or "no verdict"] += 1
        if len(self._found) < MOST_SCANS:
            self._found.append(scan_data(report.to_dict()))

    def sign_one(self, path: Path, report: Report) -> None:
        """Write `PATH.c2pa` about one report. Raises SigningError."""
        self._sign(path, [scan_data(report.to_dict())], Counter([report.verdict or "no verdict"]))

    def sign_all(self, paths: Sequence[Path]) -> None:
        """The same for files with all reports that were taken in."""
        for path in paths:
            self._sign(path, self._found, self._verdicts)

    def _sign(self, path: Path, found: Sequence[dict[str, Any]], verdicts: Counter[str]) -> None:
        said = f"{verdicts.total()} scanned: {', '.join(f'{n} {name}' for name, n in verdicts.items())}"
        statement = Statement("report", path.name, description=said, found=tuple(found))
        print(sign_file(path, path.with_name(f"{path.name}.c2pa"), statement, self._key), file=sys.stderr)
