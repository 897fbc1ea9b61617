"""The scanners that a worker keeps open, and how a newly published model takes the place of the last one.

A scan that runs ends with the detector it began with; the next one gets whatever the registry names then. A
new detector that cannot be opened changes nothing: the one in use is kept, and the log says why.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from evidence.errors import ModelError
from exports.registry import ModelEntry
from worker.requests import ScanOptions
from worker.scanner import Scanner, find_detector
from worker.settings import Settings

log = logging.getLogger("touchstone.worker")

MOST_OPEN = 2  # with different options; each holds a session and decode children

OpenScanner = Callable[[Settings, ScanOptions], Scanner]


@dataclass
class _Open:
    """A scanner, the row of the registry it was opened for, and what was tried in vain since.

    `marking` is whether there was a key of what is generated here, which a scanner reads once.
    """

    scanner: Scanner
    entry: ModelEntry
    marking: bool = False
    complaint: str = ""


class Scanners:
    """Scanners by their options; `open_scanner` makes one with the settings that name its model."""

    def __init__(self, settings: Settings, open_scanner: OpenScanner) -> None:
        self._settings, self._open_scanner = settings, open_scanner
        self._open: OrderedDict[ScanOptions, _Open] = OrderedDict()

    def close(self) -> None:
        """End them all."""
        while self._open:
            self._open.popitem()[1].scanner.__exit__(None, None, None)

    def get(self, options: ScanOptions) -> Scanner:
        """The scanner for these options with the model of now; the one before it is closed.

        Ask between scans, not during one. Raises ModelError when there was none that could be kept.
        """
        kept = self._open.get(options)
        try:
            entry = find_detector(self._named(options))
            marking = self._settings.generated_key.exists()
            if kept is None or (kept.entry, kept.marking) != (entry, marking):
                opened = self._open_scanner(self._named(options), options).__enter__()
                self._put(options, _Open(opened, entry, marking))
                kept = self._open[options]
        except ModelError as error:
            if kept is None:
                raise
            if kept.complaint != str(error):
                kept.complaint = str(error)
                log.warning(
                    "The new model cannot be used, %s goes on: %s %s", kept.entry.label, error, error.advice
                )
        self._open.move_to_end(options)
        return kept.scanner

    def _named(self, options: ScanOptions) -> Settings:
        return self._settings.model_copy(update={"model": options.model}) if options.model else self._settings

    def _put(self, options: ScanOptions, opened: _Open) -> None:
        if options in self._open:
            last = self._open.pop(options)
            last.scanner.__exit__(None, None, None)
            if last.entry != opened.entry:
                log.warning("The model changed from %s to %s.", last.entry.label, opened.entry.label)
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)[1].scanner.__exit__(None, None, None)
        self._open[options] = opened
