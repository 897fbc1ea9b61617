"""The one error of the transparency log."""

from __future__ import annotations

from evidence.errors import ProvenanceError


class LogError(ProvenanceError):
    """Raised when the transparency log, its key or a proof cannot be read, or does not hold."""

    code = "log"
