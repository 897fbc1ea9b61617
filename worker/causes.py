"""What an error costs: its shard an attempt, all of them, or nothing at all because the disk is full."""

from __future__ import annotations

from evidence.errors import (
    DecoderCrashed,
    MediaError,
    ModelError,
    SettingsError,
    StoreFull,
    TouchstoneError,
    UsageError,
)
from worker.jobs.model import Plain
from worker.receiving import FULL


def cause_of(error: Exception) -> tuple[Plain, bool]:
    """An error as the cause of a failed attempt, and whether it would come again.

    Raises StoreFull when there was no room to write: no fault of the shard, which is done once there is.
    """
    if isinstance(error, StoreFull):
        raise error
    if is_full(error):
        said = error.message if isinstance(error, TouchstoneError) else str(error)
        raise StoreFull(
            f"There is no room to work: {said}", "Free some; the work goes on by itself."
        ) from error
    if isinstance(error, TouchstoneError):
        lasting = isinstance(error, ModelError | UsageError | SettingsError) or (
            isinstance(error, MediaError) and not isinstance(error, DecoderCrashed)
        )
        return {"code": error.code, "message": str(error)}, lasting
    message = f"A fault of ours: {type(error).__name__}: {error}. Please report it."
    return {"code": "internal", "message": message}, False


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk is behind an error."""
    while error is not None:
        if isinstance(error, StoreFull) or (isinstance(error, OSError) and error.errno in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False
