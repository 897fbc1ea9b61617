"""An archive sent to a running service: files uploaded, what it can reach itself named, in batches it keeps.

What was sent is written down beside the store of this machine, so the same command goes on where it was:
each piece carries a key of its own, and the service takes it once.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from evidence.digest import sha256_file
from evidence.errors import (
    ApiRefused,
    ApiUnreachable,
    BadRow,
    LimitExceeded,
    MediaError,
    RequestError,
    UsageError,
)
from evidence.verdict import Reason, Report
from touchstone.api.rows import csv_rows, jsonl_rows, printable
from touchstone.cli.inputs import walk
from touchstone.cli.standing import Standing
from touchstone.client import Client
from touchstone.talks import ENDED
from worker.decide import MEDIA_KEYS
from worker.fetching import is_elsewhere, is_web
from worker.requests import BatchItem

PIECE_FILES, PIECE_BYTES, PIECE_ROWS = 500, 256 * 2**20, 5_000
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 300.0  # with a service that does not answer: it may be starting anew
_MANIFESTS = (".csv", ".jsonl", ".ndjson")

Tell = Callable[[Standing], None]


@dataclass(frozen=True)
class Wish:
    """What is to be sent where; with `there`, paths are the service's own."""

    url: str
    arguments: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    there: bool = False

    @property
    def digest(self) -> str:
        """What makes a command the same: where to, its arguments and options, what its manifests hold."""
        said = [sha256_file(Path(one)) if _is_manifest(one) else one for one in self.arguments]
        plain = {**asdict(self), "arguments": said, "folder": os.getcwd()}
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Piece:
    """Files to be uploaded, rows, or a folder of the service: one batch. `marks` tell its members apart."""

    marks: tuple[str, ...]
    files: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()
    folder: str = ""

    def key(self, digest: str) -> str:
        return hashlib.sha256(json.dumps([digest, self.marks]).encode()).hexdigest()[:48]


class Sending:
    """One archive on its way; `batches` are the service's, in order, `left_out` what cannot be sent."""

    def __init__(self, client: Client, wish: Wish, folder: Path) -> None:
        self.batches: list[str] = []
        self.left_out: list[Report] = []
        self._client, self._wish = client, wish
        self._digest = wish.digest
        self._path = folder / "sent" / f"{self._digest[:32]}.jsonl"
        self._known: set[str] = set()
        self._ended: dict[str, dict[str, Any]] = {}
        self._begun = time.monotonic()
        self._before: int | None = None

    @property
    def resumed(self) -> bool:
        """Whether an earlier run of the same command sent something."""
        return self._path.is_file()

    def send(self, tell: Tell) -> None:
        """Send what was not sent yet. Raises UsageError, ApiRefused, ApiUnreachable."""
        self._recall()
        most = int(self._client.call("GET", "/v1/limits")["max_bytes"])
        for piece in self._pieces(most):
            options = {name: value for name, value in self._wish.options.items() if value not in (None, "")}
            options["name"] = _name(" ".join(self._wish.arguments))[:200]
            if piece.folder:
                options["folder"] = piece.folder
            made = self._client.batch(
                None if piece.files or piece.folder else piece.rows,
                media=[(_name(path), Path(path)) for path in piece.files],
                key=piece.key(self._digest),
                **options,
            )
            self.batches.append(made["id"])
            self._note({"batch": made["id"], "marks": piece.marks})
            tell(self.look())
        if not self.batches and not self.left_out:
            raise UsageError(
                "There is nothing to send in what was named.", "Name files, folders, a manifest."
            )

    def wait(self, tell: Tell) -> Standing:
        """How it came out, once all of it has ended. A service that is away for minutes is waited for."""
        heard = time.monotonic()
        while True:
            try:
                standing = self.look()
                heard = time.monotonic()
                tell(standing)
                if standing.state in ENDED:
                    return standing
            except ApiUnreachable:
                if time.monotonic() - heard > PATIENCE_SECONDS:
                    raise
            time.sleep(LOOK_SECONDS)

    def look(self) -> Standing:
        """All batches together, as they stand."""
        found = []
        for batch in self.batches:
            now = self._ended.get(batch) or self._client.call("GET", f"/v1/batches/{batch}")
            if now["state"] in ENDED:
                self._ended[batch] = now
            found.append(now)
        verdicts: Counter[str] = Counter()
        for now in found:
            verdicts.update(now["counts"])
        failed = sum(now["failed"] for now in found) + len(self.left_out)
        dead = failed - verdicts["none"] - len(self.left_out)
        done = verdicts.total() + dead + len(self.left_out)
        of = sum(now["total"] for now in found) + len(self.left_out)
        if self._before is None:
            self._before = done
        speed = (done - self._before) / max(1e-3, time.monotonic() - self._begun) or None
        states = {now["state"] for now in found} or {"done"}
        going = next((state for state in ("running", "queued") if state in states), "")
        return Standing(
            self.batches[0] if len(self.batches) == 1 else f"{len(self.batches)} batches",
            going or ("cancelled" if "cancelled" in states else "done" if done > failed else "failed"),
            done,
            of,
            {word: verdicts[word] for word in ("fake", "real", "uncertain", "none")},
            {"no_result": failed} if failed else {},
            sum(now["retriable"] for now in found),
            speed,
            (of - done) / speed if speed and going else None,
        )

    def reports(self) -> Iterator[tuple[BatchItem, Report]]:
        """Every medium that has ended, in the order it was sent, and then what could not be sent."""
        for batch in self.batches:
            for one in self._client.batch_items(batch, limit=200):
                item = BatchItem(one["name"], client_ref=one["client_ref"])
                if one["report"]:
                    yield item, Report.from_dict(one["report"])
                elif one["error"]:
                    media = {**dict.fromkeys(MEDIA_KEYS), "path": one["name"]}
                    yield item, Report(batch, media, "unable", Reason(**one["error"]))
        for report in self.left_out:
            yield BatchItem(str(report.media["path"])), report

    def retry(self) -> int:
        """Have the service work again on what failed in passing; how many media."""
        self._ended.clear()
        return sum(self._client.retry_batch(batch) for batch in self.batches)

    def forget(self) -> None:
        """It has ended: the same command begins anew."""
        self._path.unlink(missing_ok=True)

    def _recall(self) -> None:
        """What was sent before, and is still there."""
        lines = self._path.read_text(encoding="utf-8").splitlines() if self.resumed else []
        for line in lines:
            try:
                piece = json.loads(line)
                self._client.call("GET", f"/v1/batches/{piece['batch']}")
            except ValueError:
                continue  # a crash cut the last line: its key makes sending it again harmless
            except ApiRefused as error:
                if error.status != 404:
                    raise
                continue  # deleted meanwhile
            self.batches.append(piece["batch"])
            self._known.update(piece["marks"])

    def _note(self, piece: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(piece) + "\n")
            lines.flush()
            os.fsync(lines.fileno())

    def _pieces(self, most: int) -> Iterator[_Piece]:
        arguments = [one.removeprefix("file://") for one in self._wish.arguments]
        for kind, group in groupby(arguments, self._kind):
            if kind == "files":
                yield from self._uploads(group, most)
                continue
            for argument in group:
                if kind == "manifest":
                    yield from self._listed(argument)
                elif kind == "web":
                    yield from self._in_rows([(argument, {"path": argument})])
                elif argument not in self._known:
                    yield _Piece((argument,), folder=argument)

    def _kind(self, argument: str) -> str:
        if _is_manifest(argument):
            return "manifest"
        if is_web(argument):
            return "web"
        return "place" if self._wish.there or is_elsewhere(argument) else "files"

    def _uploads(self, arguments: Iterator[str], most: int) -> Iterator[_Piece]:
        marks: list[str] = []
        files: list[str] = []
        size = 0
        for item in walk(arguments):
            try:
                if item.problem is not None:
                    raise item.problem
                status = os.stat(item.path)
                if status.st_size > most:
                    raise LimitExceeded(
                        f"{item.path} has {status.st_size} bytes; {most} are allowed.",
                        "Leave it out, or raise TOUCHSTONE_MAX_BYTES of the service.",
                    )
                with open(item.path, "rb"):
                    pass
            except (MediaError, OSError) as error:
                self._leave_out(item.path, error)
                continue
            mark = hashlib.sha256(
                repr((os.path.abspath(item.path), status.st_size, status.st_mtime_ns)).encode(
                    "utf-8", "replace"
                )
            ).hexdigest()[:24]
            if mark in self._known:
                continue
            if files and (len(files) == PIECE_FILES or size + status.st_size > PIECE_BYTES):
                yield _Piece(tuple(marks), tuple(files))
                marks, files, size = [], [], 0
            marks.append(mark)
            files.append(item.path)
            size += status.st_size
        if files:
            yield _Piece(tuple(marks), tuple(files))

    def _listed(self, manifest: str) -> Iterator[_Piece]:
        """The rows of a manifest: paths are the service's own, and so are the sums."""
        with open(manifest, encoding="utf-8-sig", errors="replace", newline="") as lines:
            begin = lines.readline()
            lines.seek(0)
            rows = jsonl_rows(lines) if begin.startswith("{") else csv_rows(lines)
            try:
                numbered = []
                for number, row in enumerate(rows, 1):
                    if isinstance(row, str):
                        self._leave_out(f"row {number}", BadRow(row))
                    else:
                        numbered.append((f"{manifest}:{number}", dict(row)))
            except RequestError as error:
                raise UsageError(f"{manifest}: {error.message}", error.advice) from None
            except csv.Error as error:
                raise UsageError(f"{manifest}: {error}.", "Save it again.") from None
        yield from self._in_rows(numbered)

    def _in_rows(self, numbered: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[_Piece]:
        left = [one for one in numbered if one[0] not in self._known]
        for first in range(0, len(left), PIECE_ROWS):
            part = left[first : first + PIECE_ROWS]
            yield _Piece(tuple(mark for mark, _ in part), rows=tuple(row for _, row in part))

    def _leave_out(self, path: str, error: MediaError | OSError) -> None:
        code = error.code if isinstance(error, MediaError) else "unreadable"
        said = str(error) if isinstance(error, MediaError) else f"{path} cannot be read: {error.strerror}."
        media = {**dict.fromkeys(MEDIA_KEYS), "path": path}
        self.left_out.append(Report("unsent", media, "unable", Reason(code, said)))


def _is_manifest(argument: str) -> bool:
    return argument.lower().endswith(_MANIFESTS) and os.path.isfile(argument)


def _name(path: str) -> str:
    return printable(path).encode("utf-8", "replace").decode()
