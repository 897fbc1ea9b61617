"""`touchstone registry`: media that are known without having been scanned here, and what is remembered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evidence.errors import MediaError, UsageError
from touchstone.cli.guard import NOTHING_DONE, SOME_FAILED
from touchstone.cli.known import TENANT
from touchstone.cli.skipped import Skipped

if TYPE_CHECKING:
    from provenance.registry import Registry
    from worker.settings import Settings

group = typer.Typer(no_args_is_help=True)

_AT_ONCE = 1_000

Tenant = Annotated[str, typer.Option(help="Whose registry it is; * is everybody's, which all may read.")]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="registry", help="Flag media, import lists of known ones, and forget them.")


@group.command("list")
def list_entries(tenant: Tenant = TENANT) -> None:
    """How many media are remembered, and which lists. Example: `touchstone registry list`"""
    from worker.settings import load_settings

    with opened(load_settings()) as registry:
        for origin, source, count in registry.counts(tenant):
            print(f"{origin:<10} {count:>9}  {source}".rstrip())


@group.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="CSV with columns sha256, pdq, quality, name, note.")],
    name: Annotated[str, typer.Option(help="What the list is called. Default: the file's name.")] = "",
    tenant: Tenant = TENANT,
) -> None:
    """Take in a list of known media. A row needs a sha256 or a PDQ hash, the first line names the columns.

    Bad rows are each named on standard error, the others are imported, and the exit code is then 1.

    Example: `touchstone registry import known.csv --name newsroom --tenant '*'`
    """
    from provenance.hash_lists import BadLine, read_list
    from provenance.registry import Entry
    from worker.settings import load_settings

    done = bad = 0
    waiting: list[Entry] = []
    with opened(load_settings()) as registry, _reading(file) as lines:
        for row in read_list(lines, tenant, name or file.stem):
            if isinstance(row, BadLine):
                bad += 1
                print(f"touchstone: bad_row: {file}, line {row.line}: {row.problem}.", file=sys.stderr)
                continue
            waiting.append(row)
            if len(waiting) == _AT_ONCE:
                registry.enter(waiting)
                done, waiting = done + len(waiting), []
        if waiting:
            registry.enter(waiting)
    done += len(waiting)
    print(f"{name or file.stem}: {done} imported{f', {bad} bad rows left out' if bad else ''}")
    raise typer.Exit(NOTHING_DONE if bad and not done else SOME_FAILED if bad else 0)


@group.command()
def flag(
    files: Annotated[list[str], typer.Argument(metavar="FILE|DIR|GLOB", help="Media to be known again.")],
    note: Annotated[str, typer.Option(help="Why, for whoever meets them again.")] = "",
    tenant: Tenant = TENANT,
) -> None:
    """Mark media so that they, and what looks like them, are told of wherever they come up again.

    Example: `touchstone registry flag hoax.jpg --note "staged, see report 12"`
    """
    from provenance.registry import Entry
    from touchstone.cli.looking import looked_at
    from worker.settings import load_settings

    settings, skipped, flagged = load_settings(), Skipped(), 0
    with opened(settings) as registry:
        for path, seen in looked_at(files, settings):
            if isinstance(seen, MediaError):
                skipped.add(path, seen)
                continue
            entry = Entry(
                tenant,
                "flagged",
                seen.sha256,
                kind=seen.kind,
                name=Path(path).name,
                note=note,
                fingerprint=seen.fingerprint,
            )
            registry.enter([entry])
            flagged += 1
            print(f"{path}: flagged")
    raise typer.Exit(skipped.exit_code if flagged else NOTHING_DONE)


@group.command()
def remove(
    what: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|SHA256", help="Files, or their sha256.")
    ] = None,
    imported: Annotated[str, typer.Option("--list", help="An imported list, by its name.")] = "",
    tenant: Tenant = TENANT,
) -> None:
    """Forget media, however they came in: a scan's own report stays, unless its job is deleted.

    Examples: `touchstone registry remove hoax.jpg` · `touchstone registry remove --list newsroom`
    """
    from worker.settings import load_settings

    if not what and not imported:
        raise UsageError("Nothing to forget was named.", "Name a file, a sha256, or a --list.")
    gone = 0
    with opened(load_settings()) as registry:
        if imported:
            gone += registry.remove_list(tenant, imported)
        for sha256 in map(_sha256, what or ()):
            gone += registry.remove(tenant, sha256)
    print(f"{gone} {'entry is' if gone == 1 else 'entries are'} gone.")
    raise typer.Exit(0 if gone else NOTHING_DONE)


@contextmanager
def opened(settings: Settings) -> Iterator[Registry]:
    """The registry of these settings. Raises StoreError."""
    from worker.jobs.store import JobStore
    from worker.remembering import open_registry

    store = JobStore(settings.store_url)
    try:
        yield open_registry(store.engine)
    finally:
        store.close()


@contextmanager
def _reading(file: Path) -> Iterator[Iterator[str]]:
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            yield iter(stream)
    except OSError as error:
        raise UsageError(f"The list {file} cannot be read: {error.strerror}.", "Name another.") from None


def _sha256(what: str) -> str:
    from evidence.digest import sha256_file

    if Path(what).is_file():
        return sha256_file(Path(what))
    if len(what) == 64 and not set(what.lower()) - set("0123456789abcdef"):
        return what.lower()
    raise UsageError(f"{what[:80]!r} is neither a file nor a sha256.", "Name one of them.")
