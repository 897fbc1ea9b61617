"""Resuming a scan: a JSONL of reports that is appended to as they come and never scanned for twice.

A report is taken over when the file's content (its sha256), the detector and the settings are the
same; names and dates do not matter. A process that is killed leaves at most one torn line, which the
next run cuts off.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from evidence.digest import sha256_file
from evidence.errors import MediaError, UsageError
from evidence.verdict import SCHEMA, Report
from touchstone.report.item import ReportItem
from touchstone.report.jsonl import line_of
from touchstone.report.sink import Sink, unwritable

Place = tuple[int, int]  # offset and length of a line, in bytes

_START = f'{{"schema":"{SCHEMA}"'.encode()


class ResumeFile:
    """The reports of earlier runs in `path`, and the place where new ones are added.

    Raises UsageError when the file is something else, OutputError when it cannot be written.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        self._by_content: dict[str, Place] = {}
        self._by_path: dict[str, Place] = {}
        self._order: list[str] = []  # of this run
        self._end = self._read()
        self._sink = Sink(path, append=True)

    def find(self, path: str) -> Place | None:
        """Where an earlier report on this very content lies, or None."""
        try:
            return self._by_content.get(sha256_file(Path(path))) if self._by_content else None
        except (MediaError, OSError):
            return None  # the scan itself will say what is wrong

    def load(self, place: Place, path: str) -> Report:
        """The report that lies there, under the name the file has now."""
        report = Report.from_dict(json.loads(self._raw(place)))
        return replace(report, media={**report.media, "path": path})

    def add(self, item: ReportItem) -> None:
        """Write a report down, unless that very line stands there already. Raises OutputError."""
        path = item.report.media["path"]
        self._order.append(path)
        line = line_of(item.report).encode()
        place = self._by_path.get(path)
        if place is None or self._raw(place) != line:
            self._sink.write(line.decode())
            self._by_path[path] = (self._end, len(line))
            self._end += len(line)

    def close(self) -> None:
        """Finish the file. Raises OutputError."""
        self._sink.close()

    def put_in_order(self) -> None:
        """After a whole run: this run's reports first, in its order, and no line that was superseded."""
        self.close()
        run = dict.fromkeys(self._order)
        places = [self._by_path[path] for path in (*run, *(p for p in self._by_path if p not in run))]
        expected = 0
        for offset, length in places:
            if offset != expected:
                break
            expected = offset + length
        if expected == self._end:
            return
        target = Path(os.path.realpath(self.path))  # a link stays one
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with beside.open("wb") as ordered:
                for place in places:
                    ordered.write(self._raw(place))
            beside.replace(target)
        except OSError as error:
            raise unwritable(self.path, error) from None
        finally:
            beside.unlink(missing_ok=True)

    def _read(self) -> int:
        """Index the lines, cut a torn one off, and say where the file ends."""
        if self.path.exists() and not self.path.is_file():
            raise self._strange()
        try:
            with self.path.open("rb+") as lines:
                if (start := lines.read(len(_START))) != _START[: len(start)]:
                    raise self._strange()
                end = lines.seek(0)
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self._index(line, end)
                    end += len(line)
                lines.truncate(end)
                return end
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise unwritable(self.path, error) from None

    def _strange(self) -> UsageError:
        return UsageError(
            f"{self.path} holds something else than reports of `touchstone scan --jsonl`.",
            "Name another file to resume from; this one was left as it is.",
        )

    def _index(self, line: bytes, offset: int) -> None:
        try:
            fields = json.loads(line)
            if fields["schema"] != SCHEMA:
                raise KeyError("schema")
            path, content = fields["media"]["path"], fields["media"]["sha256"]
        except (ValueError, KeyError, TypeError):
            raise self._strange() from None
        place = (offset, len(line))
        self._by_path[path] = place
        if fields["status"] == "ok" and fields["engine"].get("fingerprint") == self._fingerprint:
            self._by_content[content] = place

    def _raw(self, place: Place) -> bytes:
        with self.path.open("rb") as lines:
            lines.seek(place[0])
            return lines.read(place[1])
