"""Resuming an evaluation: a JSONL of scores, added to as they come; what it holds is not scored again.

A score is taken over when the content of the picture (its sha256), the mask, the detector and the settings
are the same. A process that is killed leaves at most one torn line, which the next run cuts off.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from detector.readers import Entry
from detector.scoring import Marked, Scored
from evidence.digest import sha256_file
from evidence.errors import MediaError, UsageError
from touchstone.report.sink import Sink, unwritable

SCHEMA = "touchstone.scores/1"


class ScoreFile:
    """The scores of earlier runs in `path`; raises UsageError when it is something else, OutputError."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path, self._fingerprint = path, fingerprint
        self._known: dict[tuple[str, ...], dict[str, Any]] = {}
        self._read()
        self._sink = Sink(path, append=True)

    def find(self, entry: Entry, delivery: str) -> Scored | None:
        """The score of the same content under the same delivery, or None."""
        found = self._known.get(self._key(entry, delivery)) if self._known else None
        if found is None:
            return None
        marked = Marked(**found["marked"]) if found["marked"] else None
        families = tuple(found["families"]) if found.get("families") else None
        return Scored(entry, found["logit"], found["short_side"], found["quality"], marked, families)

    def add(self, scored: Scored, delivery: str) -> None:
        """Write one score down. Raises OutputError."""
        line = {
            "schema": SCHEMA,
            "key": self._key(scored.entry, delivery),
            "name": scored.entry.key,
            "logit": scored.logit,
            "short_side": scored.short_side,
            "quality": scored.quality,
            "marked": asdict(scored.marked) if scored.marked else None,
            "families": scored.families,
        }
        self._sink.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        self._sink.close()

    def _key(self, entry: Entry, delivery: str) -> tuple[str, ...]:
        mask = sha256_file(entry.mask) if entry.mask is not None and entry.mask.is_file() else ""
        return (_digest(entry), mask, delivery, self._fingerprint)

    def _read(self) -> None:
        """Learn the lines and cut a torn one off."""
        try:
            with self._path.open("rb+") as lines:
                end = 0
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self._learn(line)
                    end += len(line)
                if end == 0 and self._path.stat().st_size and not line.startswith(b'{"schema"'):
                    raise self._strange()
                lines.truncate(end)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unwritable(self._path, error) from None

    def _learn(self, line: bytes) -> None:
        try:
            found = json.loads(line)
            if found["schema"] != SCHEMA:
                raise KeyError("schema")
            self._known[tuple(found["key"])] = found
        except (ValueError, KeyError, TypeError):
            raise self._strange() from None

    def _strange(self) -> UsageError:
        return UsageError(
            f"{self._path} holds something else than scores of `touchstone evaluate --resume`.",
            "Name another file; this one was left as it is.",
        )


def _digest(entry: Entry) -> str:
    """The sha256 of the picture's bytes; the name of one that cannot be read, whose error comes later."""
    try:
        if entry.inside is not None:
            return hashlib.sha256(entry.inside.read()).hexdigest()
        return sha256_file(entry.path)
    except (MediaError, OSError):
        return f"unreadable: {entry.key}"
