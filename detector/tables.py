"""Tables of labelled pictures: our forge's manifest, CSV, Parquet, WebDataset, Hugging Face's metadata.

A table names files beside it, or holds them: a Parquet column of bytes (Community Forensics, Hugging
Face), the members of a tar (WebDataset), which are read where they lie. A row without a label is told
and left out. The only reader of Parquet here; pyarrow comes with the extra `archives`.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from detector.entries import FOLDERS, SUFFIXES, VIDEO_SUFFIXES, WORDS, Entry, entry_of
from evidence.errors import DataError, UnreadableMedia, UsageError

MANIFEST = "manifest.jsonl"
_PATHS = ("path", "filename", "file", "file_name", "image_name", "image_path")
_LABELS = ("label", "typ")
_BYTES = ("image_data", "image", "jpg", "png", "bytes")
_COLUMNS = "The table needs a column path (or filename, file_name) and a column label (or typ)."

OnUnlabelled = Callable[[DataError], None] | None


def tables_in(folder: Path) -> list[Path]:
    """The tables that describe a folder: its manifest, or CSVs, or metadata files, Parquet, tars."""
    if (folder / MANIFEST).is_file():
        return [folder / MANIFEST]
    csvs = [table for table in sorted(folder.glob("*.csv")) if _describes(table)]
    if csvs:
        return csvs
    metadata = [
        table
        for suffix in ("csv", "jsonl")
        for table in sorted(folder.rglob(f"metadata.{suffix}"))
        if _describes(table)
    ]
    for found in (metadata, sorted(folder.rglob("*.parquet")), sorted(folder.rglob("*.tar*"))):
        if found:
            return found
    return []


def read_table(table: Path, on_unlabelled: OnUnlabelled = None) -> Iterator[Entry]:
    """The entries of one table; raises DataError, UsageError where Parquet cannot be read here."""
    if table.suffix == ".csv":
        yield from _told(_csv_rows(table), table, on_unlabelled)
    elif table.suffix == ".parquet":
        yield from _told(_parquet_rows(table), table, on_unlabelled)
    elif ".tar" in table.suffixes:
        yield from _told(_tar_rows(table, on_unlabelled), table, on_unlabelled)
    else:
        yield from _told(_json_rows(table), table, on_unlabelled)


@dataclass(frozen=True)
class TarMember:
    """A file inside an uncompressed tar."""

    tar: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes; raises UnreadableMedia."""
        try:
            with self.tar.open("rb") as file:
                file.seek(self.offset)
                return file.read(self.size)
        except OSError as error:
            raise UnreadableMedia(
                f"{self.tar} cannot be read: {error.strerror}.", "Check its permissions."
            ) from error


@dataclass(frozen=True)
class ParquetCell:
    """The bytes of a picture in a Parquet table."""

    table: Path
    column: str
    group: int
    row: int

    def read(self) -> bytes:
        """Its bytes; raises UnreadableMedia."""
        try:
            found = _chunk(self.table, self.column, self.group)[self.row].as_py()
        except (OSError, ValueError, DataError) as error:
            raise UnreadableMedia(f"{self.table} cannot be read: {error}.", "Fetch it again.") from error
        data = found.get("bytes") if isinstance(found, dict) else found
        if not isinstance(data, bytes):
            raise UnreadableMedia(
                f"Row {self.row} of row group {self.group} of {self.table} holds no {self.column}.",
                "Fetch the table again, with its pictures inside.",
            )
        return data


# A row of a table: where it stands, its fields, and what it holds of the file itself.
_Row = tuple[str, Mapping[str, Any], TarMember | ParquetCell | None]


def _told(rows: Iterator[_Row], table: Path, on_unlabelled: OnUnlabelled) -> Iterator[Entry]:
    """Rows as entries; one that cannot be understood is told, or else raised."""
    for place, row, inside in rows:
        try:
            yield _entry(table, row, inside)
        except DataError as error:
            told = DataError(f"{place} of {table}: {error}", "Mend the row, or take it out.")
            if on_unlabelled is None:
                raise told from error
            on_unlabelled(told)


def _entry(table: Path, row: Mapping[str, Any], inside: TarMember | ParquetCell | None) -> Entry:
    named = next((str(row[column]) for column in _PATHS if row.get(column)), "")
    if not named:
        raise DataError("It names no file.", _COLUMNS)
    key = named.replace("\\", "/")
    if inside is not None:
        return entry_of(table.parent, row, key, path=table, inside=inside)
    below = f"{row.get('typ') or row.get('label')}/{key}"  # a flat folder for each generator
    if not (table.parent / key).exists() and (table.parent / below).exists():
        key = below
    return entry_of(table.parent, row, key)


def _describes(table: Path) -> bool:
    """Whether a table says which files are real: other CSVs lie about, such as lists of prompts."""
    try:
        with table.open("rb") as file:
            head = file.readline(65_536).decode("utf-8-sig", "replace").strip()
        names = next(csv.reader([head])) if table.suffix == ".csv" else list(json.loads(head))
    except (OSError, ValueError, csv.Error, StopIteration):
        return False
    return any(name in names for name in _PATHS) and any(name in names for name in _LABELS)


def _json_rows(manifest: Path) -> Iterator[_Row]:
    for number, line in enumerate(_text(manifest).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("it is no object")
        except ValueError as error:
            raise DataError(
                f"Line {number} of {manifest} is no manifest row: {error}.",
                "Each line is a JSON object with at least path and label.",
            ) from error
        yield f"Line {number}", row, None


def _csv_rows(table: Path) -> Iterator[_Row]:
    try:
        reader = csv.DictReader(io.StringIO(_text(table)))
        rows = list(reader)
    except csv.Error as error:
        raise DataError(
            f"{table} is no CSV: {error}.", "Check for a quotation mark without its pair."
        ) from error
    columns = reader.fieldnames or ()
    if not any(name in columns for name in _PATHS) or not any(name in columns for name in _LABELS):
        raise DataError(f"{table} has the columns {', '.join(columns) or 'of nothing'}.", _COLUMNS)
    for number, row in enumerate(rows, start=2):
        word = str(row.get("label") or "").strip()
        if word and word.lower() not in WORDS:  # some name the generator in the column of the label
            row = {**row, "label": "", "typ": word}
        yield f"Row {number}", row, None


def _parquet_rows(path: Path) -> Iterator[_Row]:
    file = _parquet(path)
    names = list(file.schema_arrow.names)
    held = next((name for name in _BYTES if name in names), "")
    classes = _class_names(file.schema_arrow.metadata or {})
    plain = [name for name in names if name != held and name not in ("prompt", "caption")]
    if not any(name in names for name in _LABELS):
        raise DataError(f"{path} has the columns {', '.join(names)}.", _COLUMNS)
    number = 0
    for group in range(file.num_row_groups):
        for index, row in enumerate(file.read_row_group(group, columns=plain).to_pylist()):
            number += 1
            if classes and isinstance(row.get("label"), int) and 0 <= row["label"] < len(classes):
                row["label"] = classes[row["label"]]
            cell = ParquetCell(path, held, group, index) if held else None
            if cell is not None and not any(row.get(name) for name in _PATHS):
                row["path"] = f"{path.stem}/{number}"
            yield f"Row {number}", row, cell


def _class_names(metadata: Mapping[bytes, bytes]) -> list[str]:
    """What Hugging Face's numbers for labels stand for, as the table's own words have it."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return [str(name) for name in features["label"]["names"]]
    except (KeyError, ValueError, TypeError):
        return []


def _tar_rows(path: Path, on_broken: OnUnlabelled) -> Iterator[_Row]:
    """WebDataset: files of one sample share their name up to its first dot."""
    try:
        with tarfile.open(path, "r:") as tar:
            sample: dict[str, tarfile.TarInfo] = {}
            key = ""
            for member in tar:
                if not member.isfile():
                    continue
                place = PurePosixPath(member.name)
                stem, _, kind = place.name.partition(".")
                if (now := str(place.with_name(stem))) != key:
                    yield from _sample(path, tar, key, sample)
                    key, sample = now, {}
                sample[kind.lower()] = member
            yield from _sample(path, tar, key, sample)
    except (tarfile.TarError, OSError, EOFError) as error:
        told = DataError(
            f"{path} ends early or is no plain tar: {error}.",
            "Fetch it again; unpack a compressed one to a .tar, whose members can be read where they lie.",
        )
        if on_broken is None:
            raise told from error
        on_broken(told)


def _sample(
    path: Path, tar: tarfile.TarFile, key: str, sample: Mapping[str, tarfile.TarInfo]
) -> Iterator[_Row]:
    kind = next((kind for kind in sample if f".{kind}" in SUFFIXES | VIDEO_SUFFIXES), "")
    if not kind:
        return
    row: dict[str, Any] = {}
    for side in ("json", "cls"):
        if side in sample:
            text = tar.extractfile(sample[side]).read().decode("utf-8", "replace").strip()  # type: ignore[union-attr]
            try:
                row |= json.loads(text) if side == "json" else {"label": text}
            except (ValueError, TypeError):
                continue  # the row is then one without a label
    folders = PurePosixPath(key).parts[:-1]
    named = [part for part in folders if part.lower() in FOLDERS]
    if named:
        row.setdefault("label", FOLDERS[named[-1].lower()])
        row.setdefault("generator", next((part for part in folders if part.lower() not in FOLDERS), ""))
    member = sample[kind]
    row["path"] = member.name
    yield f"Sample {key}", row, TarMember(path, member.offset_data, member.size)


def _text(path: Path) -> str:
    """The text of a manifest or a CSV, without the mark that spreadsheets put before UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}.",
            "Save it as UTF-8; a spreadsheet calls that CSV UTF-8.",
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _parquet(path: Path) -> Any:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise UsageError(
            f"{path} is a Parquet table; to read it needs pyarrow, which is not installed.",
            "Install it: pip install 'touchstone[archives]'",
        ) from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise DataError(f"{path} cannot be read: {error}.", "Fetch the table again.") from error


@lru_cache(maxsize=2)
def _chunk(table: Path, column: str, group: int) -> Any:
    return _parquet(table).read_row_group(group, columns=[column]).column(0)
