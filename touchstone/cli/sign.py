"""`touchstone sign`: Content Credentials for a file, with your key or the development authority's."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evidence.errors import SigningError, UsageError

if TYPE_CHECKING:
    from provenance.c2pa import SigningKey

PASS_PHRASE = "TOUCHSTONE_KEY_PASSPHRASE"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(sign)


def sign(
    file: Annotated[Path, typer.Argument(help="A medium, or a report; it is left as it is.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: NAME.signed.jpg; NAME.c2pa where a format holds none."),
    ] = None,
    what: Annotated[
        Literal["generated", "edited", "scanned", "report"],
        typer.Option("--as", help="What the signature says of the file."),
    ] = "edited",
    source_type: Annotated[
        str, typer.Option(metavar="NAME", help="The IPTC digital source type. Default: as --as implies.")
    ] = "",
    parent: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What an edited file was made from. Default: itself.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="With --as scanned: what the scan found.")
    ] = None,
    title: Annotated[str, typer.Option(help="Default: the file's name.")] = "",
    agent: Annotated[str, typer.Option(help="The tool that made or changed it. Default: Touchstone.")] = "",
    description: Annotated[str, typer.Option(help="What was done, in words.")] = "",
    cert: Annotated[
        Path | None, typer.Option(metavar="CHAIN.pem", help="Your certificate first, then its issuers.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="KEY.pem", help="The key that belongs to it.")] = None,
    key_command: Annotated[
        str, typer.Option(metavar="COMMAND", help="A program that signs standard input instead (a KMS).")
    ] = "",
    passphrase_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Opens the key. Else {PASS_PHRASE}, else it is asked."),
    ] = None,
    time_stamp: Annotated[
        str, typer.Option("--tsa", metavar="URL", help="An RFC 3161 authority to ask for the time.")
    ] = "",
) -> None:
    """Sign a file: say what it is, so that anybody can check that it was not changed since.

    Without --cert the development authority of this machine signs, which nobody trusts. Examples:
    `touchstone sign fake.png --as generated` · `touchstone sign cut.jpg --parent whole.jpg --cert me.pem
    --key me.key --out signed.jpg` · `touchstone sign report.json --as report`
    """
    from provenance.signing import Statement, sign_file, target_for

    if what != "scanned" and report is not None:
        raise UsageError("--report belongs to --as scanned.", "To sign a report itself, use --as report.")
    if what != "edited" and parent is not None:
        raise UsageError("--parent belongs to --as edited.", "Say --as edited, or leave the parent out.")
    target = out or target_for(file)
    if target.exists() and (not file.exists() or target.samefile(file)):
        raise UsageError(
            "The signed file would take the place of the one that is signed.", "Name another --out."
        )
    signer = _key(cert, key, key_command, passphrase_file, time_stamp)
    said = Statement(what, title, source_type, agent, description, parent, report)
    print(sign_file(file, target, said, signer))


def _key(
    cert: Path | None, key: Path | None, command: str, passphrase_file: Path | None, authority: str
) -> SigningKey:
    from provenance.signers import development_key, key_from_command, key_from_files
    from worker.settings import load_settings

    if authority and not authority.startswith(("http://", "https://")):
        raise UsageError(f"{authority!r} is no address.", "Give one that begins with https://.")
    if cert is None:
        if key is not None or command:
            raise UsageError("A key needs its certificates.", "Name them with --cert.")
        print(
            "touchstone: signed by this machine's development authority, which no trust list knows.",
            file=sys.stderr,
        )
        return development_key(load_settings().data_dir / "signing", authority=authority)
    if command and key is None:
        return key_from_command(cert, command, authority=authority)
    if key is None or command:
        raise UsageError("A certificate signs with one key.", "Name it with --key or with --key-command.")
    return key_from_files(cert, key, lambda: _passphrase(passphrase_file), authority=authority)


def _passphrase(file: Path | None) -> bytes | None:
    """From the file, the environment, or whoever sits at the terminal; None when nobody says."""
    if file is not None:
        try:
            return file.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise SigningError(f"{file} cannot be read: {error.strerror}.", "Check its name.") from None
    if PASS_PHRASE in os.environ:
        return (
            os.environb[os.fsencode(PASS_PHRASE)]
            if os.supports_bytes_environ
            else os.environ[PASS_PHRASE].encode()
        )
    return getpass.getpass("Pass phrase of the key: ").encode() if sys.stdin.isatty() else None
