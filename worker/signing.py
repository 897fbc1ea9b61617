"""The key that an installation signs with, as its settings name it."""

from __future__ import annotations

import os

from evidence.errors import SigningError
from provenance.c2pa import SigningKey
from provenance.signers import development_key, key_from_command, key_from_files
from worker.settings import Settings

PASS_PHRASE = "TOUCHSTONE_KEY_PASSPHRASE"


def signing_key(settings: Settings) -> SigningKey:
    """The key of the settings, else that of this machine's development authority. Raises SigningError."""
    chain, key, command = settings.signing_cert, settings.signing_key, settings.signing_command
    if chain is None:
        return development_key(settings.data_dir / "signing")
    if command:
        return key_from_command(chain, command)
    if key is None:
        raise SigningError(
            "There are certificates to sign with, but no key.",
            "Set TOUCHSTONE_SIGNING_KEY or TOUCHSTONE_SIGNING_COMMAND.",
        )
    return key_from_files(chain, key, lambda: os.environ.get(PASS_PHRASE, "").encode() or None)
