"""What a command leaves out because it cannot be read, while it goes on with the rest."""

from __future__ import annotations

import contextlib
import sys

from evidence.errors import TouchstoneError
from touchstone.cli.guard import DONE, SOME_FAILED
from touchstone.report.wording import visible


class Skipped:
    """Counts files that were left out; each is named on standard error, with why, as it fails."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, name: object, error: TouchstoneError) -> None:
        """Name one file; a closed standard error is no reason to stop."""
        self.count += 1
        with contextlib.suppress(OSError):
            print(f"touchstone: {error.code}: {visible(name)}: {visible(error)}", file=sys.stderr)

    @property
    def exit_code(self) -> int:
        """1 when a file was left out, else 0."""
        return SOME_FAILED if self.count else DONE

    def __str__(self) -> str:
        return f"{self.count} {'file' if self.count == 1 else 'files'} left out: standard error says why."
