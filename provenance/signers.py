"""Whose key signs: that of a file, of a command (a KMS, a smart card), or of the development authority."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from evidence.errors import SigningError
from provenance.authority import development_identity
from provenance.c2pa import SigningKey
from provenance.certificates import (
    algorithm_of,
    check_chain,
    fitting_signature,
    key_pem,
    load_key,
    public_key,
)

COMMAND_SECONDS = 60.0
_MOST_BYTES = 1 << 20

PassPhrase = Callable[[], bytes | None]


def key_from_files(chain: Path, key: Path, passphrase: PassPhrase, *, authority: str = "") -> SigningKey:
    """The key in a PEM file with the certificates of another; the pass phrase is asked for when it is needed.

    Raises SigningError for what no verifier would take: see `check_chain`.
    """
    certificates, secret = _read(chain), _read(key)
    locked = b"ENCRYPTED" in secret
    loaded = load_key(secret, passphrase() if locked else None, of=str(key))
    check_chain(certificates, public_key(loaded, of=str(key)))
    return SigningKey(certificates, algorithm_of(certificates), key_pem(loaded), authority)


def key_from_command(chain: Path, command: str, *, authority: str = "") -> SigningKey:
    """A key that a command has: it reads bytes on standard input and writes their signature.

    ECDSA signatures may be DER, as services give them, or the two numbers in a row. No shell is involved.
    """
    certificates = _read(chain)
    check_chain(certificates)
    algorithm = algorithm_of(certificates)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SigningError(f"The command {command!r} cannot be read: {error}.", "Close its quotes.") from None
    if not words:
        raise SigningError("The command is empty.", "Name a program that signs standard input.")

    def ask(data: bytes) -> bytes:
        return fitting_signature(_run(words, data), data, certificates, algorithm)

    return SigningKey(certificates, algorithm, ask, authority)


def development_key(folder: Path, *, authority: str = "") -> SigningKey:
    """The key of this machine's development authority, made at first use in `folder`."""
    identity = development_identity(folder)
    return SigningKey(identity.chain, algorithm_of(identity.chain), identity.key, authority)


def _run(words: Sequence[str], data: bytes) -> bytes:
    try:
        done = subprocess.run(
            list(words), input=data, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SigningError(
            f"The command {words[0]} did not sign within {COMMAND_SECONDS:g} s.", "Look at what it waits for."
        ) from None
    except OSError as error:
        raise SigningError(
            f"The command {words[0]} cannot be run: {error.strerror}.", "Check its name and permission."
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[-300:]
        raise SigningError(
            f"The command {words[0]} ended with {done.returncode}: {said or 'it said nothing'}.",
            "It must read bytes on standard input and write their signature on standard output.",
        )
    return done.stdout


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SigningError(f"{path} cannot be read: {reason}.", "Check its name and permission.") from None
    if len(data) > _MOST_BYTES:
        raise SigningError(
            f"{path} has more than {_MOST_BYTES:,} bytes.", "Give a key or certificates in PEM."
        )
    return data
