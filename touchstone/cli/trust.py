"""`touchstone trust`: whose signatures count."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evidence.errors import TrustError, UsageError

if TYPE_CHECKING:
    from provenance.trust import TrustStore

group = typer.Typer(no_args_is_help=True)

TIMEOUT_SECONDS = 30.0
SUFFIXES = (".pem", ".crt", ".cer")


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    app.add_typer(group, name="trust", help="List, refresh and add the lists of trusted signers.")


@group.command("list")
def list_lists() -> None:
    """The trust lists that are in force, with their age and sha256. Example: `touchstone trust list`"""
    from provenance.trust import OLD_DAYS

    store = _store()
    for one in store.lists():
        old = one.kind in ("official", "tsa") and one.age_days() > OLD_DAYS
        count = one.pem.count("BEGIN CERTIFICATE")
        print(
            f"{one.name}  {one.kind}  {count} certificates  taken {one.taken}{' (old)' if old else ''}  "
            f"sha256 {one.sha256}  {one.source}".rstrip()
        )
    if revoked := store.revoked():
        print(f"{len(revoked)} certificates are marked as revoked.")
    if not store.lists():
        print("No list: every signer is untrusted. `touchstone trust refresh` takes the official ones.")


@group.command()
def refresh(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="c2pa, c2pa-time-stamps, interim, interim-anchors. Default: all."),
    ] = None,
    mirror: Annotated[
        str, typer.Option(metavar="URL", help="Take files of the same names from this address instead.")
    ] = "",
) -> None:
    """Take the published trust lists from the C2PA programme, anew.

    The interim list was frozen on 2026-01-01 and is labelled apart. Examples: `touchstone trust refresh` ·
    `touchstone trust refresh c2pa --mirror https://mirror.example/trust/`
    """
    from provenance.trust import SOURCES

    wanted = names or list(SOURCES)
    for name in wanted:
        if name not in SOURCES:
            raise UsageError(
                f"There is no published list called {name!r}.", f"There is: {', '.join(SOURCES)}."
            )
    store = _store()
    # All are there before any is replaced: half of them new is no state to be in.
    taken = {}
    for name in wanted:
        url = SOURCES[name].url
        url = f"{mirror.rstrip('/')}/{url.rpartition('/')[2]}" if mirror else url
        taken[name] = (url, _download(url))
    for name, (url, data) in taken.items():
        added = store.add(name, SOURCES[name].kind, data, source=url)
        print(f"{name}: {added.pem.count('BEGIN CERTIFICATE')} certificates, sha256 {added.sha256}")


@group.command()
def add(
    file: Annotated[
        Path, typer.Argument(help="Certificates in PEM: authorities, or signers themselves; or a folder.")
    ],
    name: Annotated[str, typer.Option(help="What the list is called. Default: the file's name.")] = "",
    kind: Annotated[
        Literal["user", "official", "interim", "tsa"],
        typer.Option(help="user: your own; tsa: of time stamps; the others as the C2PA publishes them."),
    ] = "user",
    day: Annotated[str, typer.Option("--taken", metavar="YYYY-MM-DD", help="Its day, if not today.")] = "",
) -> None:
    """Trust the signers of a list, or of each list in a folder (.pem, .crt, .cer): of all or of none.

    Examples: `touchstone trust add newsroom.pem` · `touchstone trust add authorities/`
    """
    from provenance.trust import read_list

    store, taken = _store(), _day(day)
    if file.is_dir():
        added = store.add_files(_lists_in(file, name), kind, taken=taken)
    else:
        data = read_list(file)
        added = (store.add(name or file.stem, kind, data, source=str(file.resolve()), taken=taken),)
    for one in added:
        print(f"{one.name}: {one.pem.count('BEGIN CERTIFICATE')} certificates, sha256 {one.sha256}")


@group.command()
def remove(name: Annotated[str, typer.Argument(help="As `touchstone trust list` names it.")]) -> None:
    """Trust a list no longer. Example: `touchstone trust remove newsroom`"""
    _store().remove(name)
    print(f"{name} is gone.")


@group.command()
def revoke(
    serial: Annotated[
        str, typer.Argument(help="The certificate's serial number, as `touchstone verify` shows it.")
    ],
    reason: Annotated[str, typer.Option(help="Why, for the one who reads the list.")] = "",
) -> None:
    """Mark a signer's certificate as revoked: what it signed counts no more, whatever lists say.

    Nothing is asked over the network while verifying, so this is how a revocation that was read in the
    news is known. Example: `touchstone trust revoke 716967894238704611672030102753186629974696878134`
    """
    _store().revoke(serial, reason)
    print(f"{serial} is revoked.")


def _lists_in(folder: Path, name: str) -> list[Path]:
    """The files of a folder that hold certificates by their names. Raises UsageError where there are none."""
    if name:
        raise UsageError("--name is for one file.", "The lists of a folder are called as its files are.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UsageError(
            f"The folder {folder} holds no list.", f"Its files would end in {', '.join(SUFFIXES)}."
        )
    return files


def _store() -> TrustStore:
    from provenance.trust import TrustStore
    from worker.settings import load_settings

    return TrustStore(load_settings().trust_folder)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day.", "Write it as 2026-11-25.") from None


def _download(url: str) -> bytes:
    """The bytes at an address, as many as a list may have and one more."""
    from provenance.trust import MOST_BYTES

    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{url!r} is no address.", "Give one that begins with https://.")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            data: bytes = answer.read(MOST_BYTES + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise TrustError(
            f"{url} cannot be had: {getattr(error, 'reason', error)}.",
            "Nothing was changed. Where there is a network, save the file and `touchstone trust add` it.",
        ) from None
    return data
