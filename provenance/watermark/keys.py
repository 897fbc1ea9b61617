"""The key of a watermark: 32 secret bytes in a file that its owner alone may read, made at first use.

Whoever holds it can find its marks, put in others and take them out. Whoever lacks it cannot read them, but
can see that something repeats itself, and learn it from many marked pictures.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from evidence.errors import ProvenanceError
from evidence.files import locked, write_secret

HEAD = "touchstone-watermark-key-1"
KEY_BYTES = 32
MOST_BYTES = 1024


class WatermarkError(ProvenanceError):
    """Raised when a watermark cannot be put in or looked for."""

    code = "watermark"


def key_at(path: Path) -> bytes:
    """The key in a file, which is made if it is missing. Raises WatermarkError."""
    if not path.exists():
        _make(path)
    return read_key(path)


def read_key(path: Path) -> bytes:
    """The key in a file. Raises WatermarkError where there is none, or something else."""
    try:
        with path.open("rb") as file:
            words = file.read(MOST_BYTES).decode("ascii", "replace").split()
    except OSError as error:
        raise WatermarkError(
            f"The watermark key {path} cannot be read: {error.strerror or error}.",
            "Name the file that `touchstone watermark embed` made.",
        ) from None
    try:
        head, digits = words
        key = bytes.fromhex(digits)
    except ValueError:
        head, key = "", b""
    if head != HEAD or len(key) != KEY_BYTES:
        raise WatermarkError(
            f"{path} holds no watermark key.",
            f"It would hold {HEAD} and {2 * KEY_BYTES} hexadecimal digits; name another file.",
        )
    return key


def fingerprint(key: bytes) -> str:
    """What a key is called where it must not be shown: 8 hexadecimal digits."""
    return hashlib.sha256(b"touchstone watermark fingerprint " + key).hexdigest()[:8]


def _make(path: Path) -> None:
    """A new key, unless somebody else makes one at this moment: then there is theirs."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(path.parent):
            if not path.exists():
                write_secret(path, f"{HEAD} {secrets.token_hex(KEY_BYTES)}\n".encode())
    except OSError as error:
        raise WatermarkError(
            f"The watermark key {path} cannot be made: {error.strerror or error}.",
            "Name a place that can be written with --key-file, or set TOUCHSTONE_DATA_DIR.",
        ) from None
