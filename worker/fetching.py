"""Media that lie elsewhere, brought in by a worker: from an address of the web, or a place that fsspec knows.

What comes is written under the cap of the settings beside the stored media, looked at as soon as its first
bytes are there, and gone again when it was scanned, unless somebody keeps it.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import closing

from evidence.errors import AddressRefused, UsageError
from evidence.sniff import HEAD_BYTES, sniff
from worker.addresses import check, fetched, refuse_own
from worker.media import MediaStore
from worker.places import chunks_of
from worker.receiving import Receiving, Stored
from worker.settings import Settings

_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)


def is_elsewhere(path: str) -> bool:
    """Whether a medium is named by an address instead of a path."""
    return _ELSEWHERE.match(path) is not None


def is_web(path: str) -> bool:
    """Whether that is an address of the web."""
    return _WEB.match(path) is not None


def check_web(url: str, settings: Settings) -> None:
    """Raise UsageError for an address that would never be fetched here."""
    if not settings.fetch_web:
        raise UsageError(
            "Media are not fetched from the web here.", "Hand the file in, or set TOUCHSTONE_FETCH_WEB."
        )
    _, host, _ = check(url)
    if not settings.fetch_private:
        refuse_own(host)


class Fetcher:
    """Brings media in; several threads may ask it. What was brought in is dropped or kept, each once."""

    def __init__(self, settings: Settings, media: MediaStore) -> None:
        self._settings, self._media = settings, media
        self._here: dict[str, list[Receiving]] = defaultdict(list)
        self._lock = threading.Lock()

    def reach(self, path: str) -> str:
        """A file of this machine with the medium. Raises MediaError."""
        if not is_elsewhere(path):
            return path
        receiving = self._media.receive()
        try:
            self._write(path, receiving)
            local = receiving.written()
        except BaseException:
            receiving.__exit__(None, None, None)
            raise
        with self._lock:
            self._here[path].append(receiving)
        return str(local)

    def keep(self, path: str) -> Stored | None:
        """Store a medium that was brought in; None when it could not be."""
        receiving = self._take(path)
        if receiving is None:
            return None
        with receiving:
            return receiving.finish()

    def drop(self, path: str) -> None:
        """Delete a medium that was brought in, if it was."""
        receiving = self._take(path)
        if receiving is not None:
            receiving.__exit__(None, None, None)

    def close(self) -> None:
        """Delete all that is left."""
        for path in list(self._here):
            while self._here.get(path):
                self.drop(path)

    def _take(self, path: str) -> Receiving | None:
        with self._lock:
            waiting = self._here.get(path)
            receiving = waiting.pop(0) if waiting else None
            if not waiting:
                self._here.pop(path, None)
        return receiving

    def _write(self, path: str, receiving: Receiving) -> None:
        head = bytearray()
        with closing(self._chunks(path)) as chunks:
            for chunk in chunks:
                if len(head) < HEAD_BYTES:
                    head += chunk[: HEAD_BYTES - len(head)]
                    if len(head) == HEAD_BYTES:
                        sniff(bytes(head))  # what is no medium is not read to its end
                receiving.write(chunk)
        if len(head) < HEAD_BYTES:
            sniff(bytes(head))

    def _chunks(self, path: str) -> Generator[bytes]:
        settings = self._settings
        until = time.monotonic() + settings.fetch_seconds
        if not is_web(path):
            return chunks_of(path, settings, until)
        try:
            check_web(path, settings)
        except UsageError as error:
            raise AddressRefused(error.message, error.advice) from None
        return fetched(path, max_bytes=settings.max_bytes, until=until, private=settings.fetch_private)
