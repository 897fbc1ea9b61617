"""`touchstone log`: the transparency log, its proofs, and checking both without anybody's help."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evidence.errors import MediaError, ProvenanceError, UsageError
from evidence.files import write_whole
from touchstone.cli.verify import INVALID, NONE, NOTHING_DONE, VALID, worst

if TYPE_CHECKING:
    from provenance.transparency.audit import Finding
    from provenance.transparency.notes import Head, PublicKey
    from worker.logbook import Logbook

group = typer.Typer(no_args_is_help=True)

_SHA256_DIGITS = 64
_MOST_FINDINGS = 100
_KEY = typer.Option(metavar="KEY|FILE", help="The log's public key; else that of this machine's own log.")

KeyOption = Annotated[str, _KEY]
HeadOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--head", metavar="FILE", help="An earlier head, or a report with its proof: once for each."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="log", help="Show, prove, verify and export the transparency log.")


@group.command()
def show(
    last: Annotated[int, typer.Option(metavar="N", min=0, help="So many of the newest entries.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """How large the log is, who signs it, and its newest entries. Example: `touchstone log show --last 3`"""
    from provenance.transparency.entries import words
    from provenance.transparency.notes import peek

    with _logbook() as logbook:
        head, key = peek(logbook.head()), logbook.key()
        entries = [
            (position, json.loads(entry))
            for position, entry in logbook.ledger.entries(max(0, head.size - last), last)
        ]
    if as_json:
        rows = [{"index": position, **entry} for position, entry in entries]
        said = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "key": str(key)}
        print(json.dumps({**said, "entries": rows}, indent=1))
        return
    print(f"{head.origin}\n  {head.size} entries, root {head.root.hex()}\n  public key {key}")
    for position, entry in entries:
        print(f"  {position}  " + "  ".join(value for _, value in words(entry)))


@group.command()
def head() -> None:
    """The signed head of the log, to be kept elsewhere. Example: `touchstone log head > head.txt`"""
    with _logbook() as logbook:
        print(logbook.head(), end="")


@group.command()
def key(
    name: Annotated[
        str, typer.Option(help="What a new log is called, such as example.org/log; it stays so.")
    ] = "",
) -> None:
    """The public key, which others need to check proofs; made at first use. Example: `touchstone log key`"""
    with _logbook() as logbook:
        print(logbook.key(name))


@group.command()
def prove(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ENTRY|FILE", help="The number of an entry, a report, a medium or its sha256."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it goes, else standard output.")
    ] = None,
) -> None:
    """Prove that the log holds an entry: a report comes back with its proof, else the entry stands beside it.

    Of a medium, every entry about it, newest first. Examples: `touchstone log prove verdict.json --out
    proved.json` · `touchstone log prove photo.jpg` · `touchstone log prove 12`

    Exit codes: 0 done, 2 wrong usage, 3 nothing could be done, 4 the log holds no such entry.
    """
    from touchstone.report.jsonl import document_of_plain

    with _logbook() as logbook:
        found = _proofs(logbook, what)
    if not found:
        print(f"touchstone: The log holds no entry about {what}.", file=sys.stderr)
        raise typer.Exit(NONE)
    text = document_of_plain(found[0]) if len(found) == 1 else json.dumps(found, indent=1) + "\n"
    if out is None:
        print(text, end="")
    else:
        write_whole(out, text.encode())


@group.command()
def verify(
    what: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|DIR", help="Reports, proofs, an exported log; else this machine's own log."
        ),
    ] = None,
    key: KeyOption = "",
    heads: HeadOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a whole log, or reports with their proofs: offline, with the public key alone.

    Every entry of a log is checked against every hash above it, and both against the head that was signed
    last, and those of --head. Examples: `touchstone log verify` · `touchstone log verify verdict.json --key
    log.pub` · `touchstone log verify mirror/ --key log.pub --head head.txt`

    Exit codes: 0 all of it holds, 1 some could not be read, 2 wrong usage, 3 none could, 4 a report has no
    proof, 5 something does not hold. The gravest counts: 3, 1, 5, 4, 0.
    """
    rows, codes = [], []
    for row, code in _verified(what or [], key, heads or []):
        rows.append(row)
        codes.append(code)
        if not as_json:
            _tell(row)
    if as_json:
        print(json.dumps(rows[0] if len(rows) == 1 else rows, indent=1))
    raise typer.Exit(worst(codes))


@group.command()
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where it goes; again, to bring it up to date.")
    ],
) -> None:
    """Write the log as files that any web server can hand out, to be mirrored and checked by anybody.

    The layout is that of c2sp.org/tlog-tiles. Example: `touchstone log export /var/www/log`
    """
    from provenance.transparency.folder import export as write
    from provenance.transparency.notes import peek

    with _logbook() as logbook:
        note = logbook.head()
        size = peek(note).size
        written = write(logbook.ledger, size, note, folder)
    print(f"{folder}: {size} entries, {written} new files.")


def _proofs(logbook: Logbook, what: str) -> list[dict[str, Any]]:
    """What was asked for, proved."""
    from evidence.digest import sha256_file
    from provenance.transparency.reading import document_or_none

    path = Path(what)
    if not path.is_file():
        if what.isascii() and what.isdigit() and len(what) < _SHA256_DIGITS:
            return [logbook.prove(int(what))]
        if len(what) == _SHA256_DIGITS and not set(what) - set("0123456789abcdef"):
            return logbook.proofs(what)
        raise UsageError(f"There is no file {what}.", "Name a file, a sha256, or the number of an entry.")
    report = document_or_none(path)
    if report is not None and "provenance" in report:
        return [logbook.proved(report)]
    return logbook.proofs(sha256_file(path))


def _verified(what: Sequence[Path], key: str, heads: Sequence[Path]) -> Iterator[tuple[dict[str, Any], int]]:
    """A row for each thing that was checked, with its exit code."""
    from provenance.transparency.reading import heads_in

    wanted = _key_of(key)
    earlier = [head for path in heads for head in heads_in(path, wanted)]
    if not what:
        with _logbook() as logbook:
            found = list(logbook.verify(wanted, earlier))
            yield _log_row("", wanted.name, logbook.ledger.size(), found)
    for path in what:
        try:
            rows = [_folder_row(path, wanted, earlier)] if path.is_dir() else _report_rows(path, wanted)
        except MediaError as error:
            rows = [({"path": str(path), "state": "unreadable", "message": str(error)}, NOTHING_DONE)]
        except ProvenanceError as error:
            rows = [({"path": str(path), "state": "broken", "message": str(error)}, INVALID)]
        yield from rows


def _folder_row(path: Path, key: PublicKey, heads: Sequence[Head]) -> tuple[dict[str, Any], int]:
    from provenance.transparency.audit import audit
    from provenance.transparency.folder import Folder, head_in
    from provenance.transparency.notes import Head

    told = Head.signed(head_in(path), key)
    return _log_row(
        str(path), key.name, told.size, list(audit(Folder(path, told.size), told.size, [told, *heads]))
    )


def _log_row(path: str, origin: str, size: int, found: Sequence[Finding]) -> tuple[dict[str, Any], int]:
    findings = [{"code": one.code, "message": one.message} for one in found]
    row = {"path": path, "state": "broken" if found else "holds", "origin": origin, "size": size}
    return {**row, "findings": findings}, INVALID if found else VALID


def _report_rows(path: Path, key: PublicKey) -> list[tuple[dict[str, Any], int]]:
    from provenance.transparency.proofs import check, proof_in
    from provenance.transparency.reading import documents_in

    rows: list[tuple[dict[str, Any], int]] = []
    for document in documents_in(path):
        if proof_in(document) is None:
            rows.append(({"path": str(path), "state": "none", "message": "It carries no proof."}, NONE))
            continue
        try:
            proved = check(document, key)
        except ProvenanceError as error:
            rows.append(({"path": str(path), "state": "broken", "message": str(error)}, INVALID))
            continue
        where = {"origin": proved.head.origin, "index": proved.index, "size": proved.head.size}
        rows.append(({"path": str(path), "state": "holds", **where, "entry": proved.entry}, VALID))
    return rows or [({"path": str(path), "state": "none", "message": "It carries no proof."}, NONE)]


def _tell(row: dict[str, Any]) -> None:
    """A row in words."""
    from provenance.transparency.entries import words
    from touchstone.report.wording import visible

    name = visible(row["path"]) or row["origin"]
    if "findings" in row:
        print(
            f"{name}\n  {row['size']} entries of {row['origin']}: " + ("" if row["findings"] else "all hold.")
        )
        for found in row["findings"][:_MOST_FINDINGS]:
            print(f"  - {found['code']}: {found['message']}")
        if (more := len(row["findings"]) - _MOST_FINDINGS) > 0:
            print(f"  and {more} more")
    elif row["state"] == "holds":
        print(f"{name}\n  Holds: entry {row['index']} of {row['size']} in {row['origin']}.")
        for fact, value in words(row["entry"]):
            print(f"  {fact}: {visible(str(value))}")
    else:
        print(f"{name}\n  {visible(row['message'])}")


def _key_of(said: str) -> PublicKey:
    """The key that was named, by itself or by its file, else that of this machine's log."""
    from provenance.transparency.keyring import Keyring
    from provenance.transparency.notes import PublicKey
    from worker.settings import load_settings

    if not said:
        settings = load_settings()
        own = Keyring(settings.log_folder, settings.log_key).public()
        if own is None:
            raise UsageError(
                "This machine has no log of its own yet.", "Name the other log's key with --key."
            )
        return own
    path = Path(said)
    return PublicKey.read(path.read_text("utf-8") if path.is_file() else said)


@contextmanager
def _logbook() -> Iterator[Logbook]:
    from worker.jobs.store import JobStore
    from worker.logbook import Logbook
    from worker.settings import load_settings

    settings = load_settings()
    store = JobStore(settings.store_url)
    try:
        yield Logbook(store.engine, settings)
    finally:
        store.close()
