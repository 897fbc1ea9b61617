"""Files that a command was given, each with what the registry would know it by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evidence.errors import MediaError, UsageError
from evidence.sandbox import DecoderPool
from touchstone.cli.inputs import expand
from worker.remembering import Known, look
from worker.settings import Settings


def looked_at(files: Sequence[str], settings: Settings) -> Iterator[tuple[str, Known | MediaError]]:
    """Each file with what it is known by, or with why it cannot be read. Raises UsageError for no file."""
    items = expand(files)
    if not items:
        raise UsageError("There is no medium in what was named.", "Name pictures or videos.")
    with DecoderPool(settings.limits, workers=1) as pool:
        for item in items:
            try:
                if item.problem:
                    raise item.problem
                known = look(pool, item.path, settings.sampling)
            except MediaError as error:
                yield item.path, error
            else:
                yield item.path, known
