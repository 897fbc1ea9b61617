"""Labelled collections as the field lays them out on disk, read by name, never by order of folders.

Known: the manifest our forge writes; a CSV with a label column (Synthbuster, B-Free, TrueFake); folders
called `0_real` and `1_fake` (ForenSynths, AIGIBench, UniversalFakeDetect), `nature` and `ai` (GenImage,
where alphabetical order is the reverse), `real` and `fake`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evidence.errors import DataError, MediaError
from evidence.image import decode_image
from evidence.medium import MediaInfo, Pixels

Label = Literal["real", "fake"]

MANIFEST = "manifest.jsonl"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic"}
SPLITS = {"train": "train", "val": "val", "valid": "val", "cal": "cal", "test": "test"}

_FOLDERS: dict[str, Label] = {
    "0_real": "real",
    "1_fake": "fake",
    "nature": "real",
    "ai": "fake",
    "real": "real",
    "fake": "fake",
}
_WORDS: dict[str, Label] = {
    "real": "real",
    "0": "real",
    "false": "real",
    "nature": "real",
    "pristine": "real",
    "fake": "fake",
    "1": "fake",
    "true": "fake",
    "ai": "fake",
    "generated": "fake",
}


@dataclass(frozen=True)
class Entry:
    """One labelled picture.

    `key` is its path relative to the collection. `group` ties together what must not be split: a
    source picture and its forgeries, a person, a video. `twin_of` is the key of the real picture that
    a forgery was made from, `mask` a picture that is white where it is forged (None: all of it).
    """

    path: Path
    key: str
    label: Label
    generator: str = ""
    family: str = ""
    source: str = ""
    group: str = ""
    split: str = ""
    twin_of: str = ""
    mask: Path | None = None


def read(collection: Path, *, split: str | None = None) -> list[Entry]:
    """Every labelled picture of a collection (a folder, a manifest or a CSV), in a stable order.

    With `split`, those of that split alone. DataError when the layout is unknown or nothing is left.
    """
    entries = list(_read(collection))
    if split is not None:
        entries = [entry for entry in entries if entry.split == split]
    if not entries:
        wanted = f" of split {split!r}" if split else ""
        raise DataError(
            f"{collection} holds no labelled picture{wanted}.",
            f"Give a folder with {MANIFEST}, a CSV with the columns path and label, or folders named "
            f"{', '.join(_FOLDERS)}.",
        )
    return entries


OnFailed = Callable[[Entry, MediaError], None]


def decoded(
    entries: Iterable[Entry],
    on_progress: Callable[[int], None] | None = None,
    on_failed: OnFailed | None = None,
) -> Iterator[tuple[Entry, MediaInfo, Pixels]]:
    """Each picture with its description and pixels; `on_progress` is told how many were begun.

    One that cannot be decoded is left out and handed to `on_failed`; without that its error is raised.
    """
    for number, entry in enumerate(entries, start=1):
        if on_progress is not None:
            on_progress(number)
        try:
            info, pixels = decode_image(entry.path)
        except MediaError as error:
            if on_failed is None:
                raise
            on_failed(entry, error)
            continue
        yield entry, info, pixels


def _read(collection: Path) -> Iterator[Entry]:
    if collection.is_file():
        yield from _csv(collection) if collection.suffix == ".csv" else _manifest(collection)
    elif (collection / MANIFEST).is_file():
        yield from _manifest(collection / MANIFEST)
    elif collection.is_dir():
        tables = sorted(collection.glob("*.csv"))
        yield from _csv(tables[0]) if tables else _folders(collection)
    else:
        raise DataError(f"There is no collection at {collection}.", "Check the path.")


def _manifest(manifest: Path) -> Iterator[Entry]:
    for number, line in enumerate(_text(manifest).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield _entry(manifest.parent, row, str(row["path"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"Line {number} of {manifest} is no manifest row: {error!r}.",
                "Each line is a JSON object with at least path and label.",
            ) from error


def _csv(table: Path) -> Iterator[Entry]:
    try:
        rows = list(csv.DictReader(io.StringIO(_text(table))))
    except csv.Error as error:
        raise DataError(
            f"{table} is no CSV: {error}.", "Check for a quotation mark without its pair."
        ) from error
    for number, row in enumerate(rows, start=2):
        name = row.get("path") or row.get("filename") or row.get("file")
        label = row.get("label") or row.get("typ")
        if not name or not label:
            raise DataError(
                f"Row {number} of {table} names no file or no label.",
                "The CSV needs a column path (or filename) and a column label (or typ).",
            )
        # Synthbuster's `typ` holds "real" or the name of a generator.
        known = label.strip().lower() in _WORDS
        fields = {**row, "label": label if known else "fake"}
        fields["generator"] = row.get("generator") or ("" if known else label)
        yield _entry(table.parent, fields, name.replace("\\", "/"))


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


def _entry(root: Path, row: dict[str, Any], key: str) -> Entry:
    word = str(row["label"]).strip().lower()
    if word not in _WORDS:
        raise DataError(f"{key} has the label {word!r}.", f"Labels are {', '.join(sorted(_WORDS))}.")
    mask = row.get("mask")
    return Entry(
        path=root / key,
        key=key,
        label=_WORDS[word],
        generator=str(row.get("generator") or ""),
        family=str(row.get("family") or ""),
        source=str(row.get("source") or ""),
        group=str(row.get("group") or Path(key).stem),
        split=str(row.get("split") or ""),
        twin_of=str(row.get("twin_of") or ""),
        mask=root / str(mask) if mask else None,
    )


def _folders(root: Path) -> Iterator[Entry]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        above = path.relative_to(root).parts[:-1]
        named = [part for part in above if part.lower() in _FOLDERS]
        if not named:
            continue
        around = [part for part in above if part.lower() not in _FOLDERS]
        splits = [SPLITS[part.lower()] for part in around if part.lower() in SPLITS]
        names = [part for part in around if part.lower() not in SPLITS]
        yield Entry(
            path=path,
            key=path.relative_to(root).as_posix(),
            label=_FOLDERS[named[-1].lower()],
            generator=names[0] if names else root.name,
            source="/".join(names),
            group="/".join([*names, path.stem]),
            split=splits[0] if splits else "",
        )
