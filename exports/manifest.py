"""`manifest.jsonl` of a folder of forgeries: a row a picture, one row a path, whatever is run again.

A row is appended and flushed as soon as its picture is there, so that an interruption loses nothing; when the
folder is closed, rows that were replaced are taken out, and the file is put in place whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from evidence.errors import OutputError
from evidence.files import write_whole

MANIFEST = "manifest.jsonl"
SHEET = "-grid.png"  # what the name of a sheet of pictures ends in

Row = dict[str, Any]
Finish = Callable[[bytes, str], bytes]

_OF_THE_FILE = ("path", "sha256", "mask")  # what a row says besides the origin it is given


def beside_pictures(manifest: Path) -> set[Path]:
    """What a folder with this manifest holds that is no picture of its own: it, its masks, its sheets."""
    try:
        rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
        masks = {manifest.parent / row["mask"] for row in rows if row.get("mask")}
        named = {row["path"] for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()  # another file of that name
    sheets = {path for path in manifest.parent.glob(f"*{SHEET}") if path.name not in named}
    return {manifest, *masks, *sheets}


class Folder:
    """A folder that is written to; used in a `with`. `kept` are files that must not be overwritten.

    The mask of `a.png` is called `masks` + `a.png`.
    """

    def __init__(self, path: Path, kept: Iterable[Path] = (), *, masks: str = "mask/") -> None:
        self._masks = masks
        self.path = path
        self._kept = {file.resolve() for file in kept}
        self._taken: set[str] = set()
        self._replaced = False
        self._stream: IO[str] | None = None
        self.rows: dict[str, Row] = {}

    def __enter__(self) -> Folder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            manifest = self.path / MANIFEST
            text = manifest.read_text("utf-8") if manifest.exists() else ""
            lines = text[: text.rfind("\n") + 1].splitlines()  # a line cut short by a kill is dropped
            self.rows = {row["path"]: row for row in map(json.loads, lines)}
            if len(self.rows) < len(lines) or (text and not text.endswith("\n")):
                self._write()
            self._stream = manifest.open("a", encoding="utf-8")
        except OSError as error:
            raise self._refused(error) from None
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{self.path / MANIFEST} holds something else than rows with a path: {error!r}.",
                "Name another folder, or take that file away.",
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._stream is not None
        try:
            self._stream.close()
        except OSError as refused:  # the row that a full disk refused is refused again
            if error is None:
                raise self._refused(refused) from None
        if self._replaced:
            self._write()

    def add(
        self,
        stem: str,
        suffix: str,
        content: bytes,
        origin: Row,
        *,
        mask: bytes | None = None,
        finish: Finish | None = None,
    ) -> str:
        """Write a picture and its row; the name is `stem` + `suffix`, numbered where that is taken.

        A picture of the same origin, from an earlier run, is replaced. `mask` is a PNG, by default in a
        folder of its own: who reads the folder by its names shall find no mask among pictures. `finish`
        makes of content and name what is written; since a signature is another one each time, a picture of
        the same origin stays as it is then. Raises `OutputError`.
        """
        assert self._stream is not None
        number = 1
        while not self._free(name := f"{stem}{f'-{number}' if number > 1 else ''}{suffix}", origin):
            number += 1
        self._taken.add(name)
        if finish is not None:
            if self._whole(name):
                return name
            content = finish(content, name)
        row = {"path": name, "sha256": hashlib.sha256(content).hexdigest(), **origin}
        if mask is not None:
            row["mask"] = f"{self._masks}{name.rpartition('.')[0]}.png"
            write_whole(self.path / row["mask"], mask)
        write_whole(self.path / name, content)
        self._replaced |= name in self.rows
        self.rows[name] = row
        try:
            self._stream.write(json.dumps(row) + "\n")
            self._stream.flush()
        except OSError as error:
            raise self._refused(error) from None
        return name

    def _whole(self, name: str) -> bool:
        """Whether the picture of an earlier run is there as it was written."""
        file = self.path / name
        if name not in self.rows or not file.is_file():
            return False
        return bool(hashlib.sha256(file.read_bytes()).hexdigest() == self.rows[name]["sha256"])

    def _free(self, name: str, origin: Row) -> bool:
        file = self.path / name
        if name in self._taken or file.resolve() in self._kept:
            return False
        before = {key: value for key, value in self.rows.get(name, {}).items() if key not in _OF_THE_FILE}
        return not file.exists() or before == json.loads(json.dumps(origin))

    def _write(self) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in self.rows.values())
        write_whole(self.path / MANIFEST, lines.encode())

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path} cannot be written: {error.strerror}.", "Name another --out.")
