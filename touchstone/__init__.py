"""The front door: `scan(path) -> Report`, the command line and the reports people read.

import touchstone
print(touchstone.scan("photo.jpg").verdict)

with touchstone.Scanner() as scanner:  # keeps the detector and the decode children
    for scanned in scanner.scan_all(paths):
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from evidence.verdict import Report
    from worker.scanner import Scanner

__all__ = ["Scanner", "scan"]


def scan(path: str | Path) -> Report:
    """The report on one picture or video, by the settings in force.

    What cannot be examined has `status` "unable" and a reason; only a missing or broken detector raises
    (ModelError, SettingsError). For more than one file keep a `Scanner`.
    """
    from worker.scanner import Scanner

    with Scanner() as scanner:
        return scanner.scan(path)


def __getattr__(name: str) -> Any:
    # Imported when asked for: `touchstone --help` needs no ONNX Runtime.
    if name == "Scanner":
        from worker.scanner import Scanner

        return Scanner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
