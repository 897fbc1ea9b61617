"""Lists of known media that others publish: CSV with a sha256, a PDQ hash, or both in each row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evidence.errors import UsageError
from provenance.pdq import LEAST_QUALITY
from provenance.perceptual import Fingerprint, Mark
from provenance.registry import Entry

COLUMNS = "sha256, pdq (or hash), quality, name, note"

_HEX = re.compile(r"[0-9a-f]{64}")
_PDQ = ("pdq", "hash")
_LONGEST = 1_000  # characters of a name or a note


@dataclass(frozen=True)
class BadLine:
    """A row that is not imported: its line, from 1, and what is wrong with it."""

    line: int
    problem: str


def read_list(lines: Iterable[str], tenant: str, source: str) -> Iterator[Entry | BadLine]:
    """An entry for each row, or what is wrong with it; UsageError when the first line names no hash."""
    rows = csv.reader(_without_zeros(lines))
    try:
        names = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        raise UsageError(f"The list is no CSV: {error}.", f"Its columns are {COLUMNS}.") from None
    if not {"sha256", *_PDQ} & set(names):
        shown = ascii(", ".join(names)[:80]) if any(names) else "nothing"  # no control codes on a terminal
        raise UsageError(
            f"The first line names no column of hashes: {shown}.",
            f"Give it a first line with the names of the columns: {COLUMNS}.",
        )
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield BadLine(rows.line_num, f"it is no CSV: {error}")
            continue
        if row is None:
            return
        if any(cell.strip() for cell in row):
            said = dict(zip(names, (cell.strip() for cell in row), strict=False))
            problem = _problem(said, len(row) - len(names))
            yield BadLine(rows.line_num, problem) if problem else _entry(said, tenant, source)


def _problem(said: dict[str, str], too_many: int) -> str:
    if too_many > 0:
        return f"it has {too_many} cells more than the first line"
    sha256, pdq = said.get("sha256", ""), _pdq(said)
    if not sha256 and not pdq:
        return "it has no hash"
    for name, value in (("sha256", sha256), ("PDQ hash", pdq)):
        if value and not _HEX.fullmatch(value.lower()):
            return f"{value[:70]!r} is no {name} of 64 hexadecimal digits"
    quality = said.get("quality", "")
    if quality and not (quality.isdecimal() and int(quality) <= 100):
        return f"{quality[:20]!r} is no quality from 0 to 100"
    if pdq and not sha256 and quality and int(quality) < LEAST_QUALITY:
        return f"a PDQ hash of quality {quality} tells nothing apart; {LEAST_QUALITY} is the least"
    return ""


def _entry(said: dict[str, str], tenant: str, source: str) -> Entry:
    pdq, quality = _pdq(said), said.get("quality") or "100"
    useful = pdq and int(quality) >= LEAST_QUALITY
    marks = (Mark(bytes.fromhex(pdq)),) if useful else ()
    return Entry(
        tenant,
        "imported",
        said.get("sha256", "").lower(),
        name=said.get("name", "")[:_LONGEST],
        source=source,
        note=said.get("note", "")[:_LONGEST],
        fingerprint=Fingerprint(marks),
    )


def _pdq(said: dict[str, str]) -> str:
    return next((said[name] for name in _PDQ if said.get(name)), "")


def _without_zeros(lines: Iterable[str]) -> Iterator[str]:
    """The lines; a NUL, which no database keeps as text, as what it is called."""
    return (line.replace("\0", "\N{SYMBOL FOR NULL}") for line in lines)
