"""Secrets from files: `TOUCHSTONE_DATABASE_URL_FILE` names a file that holds `TOUCHSTONE_DATABASE_URL`.

Every setting can be given so. An environment is seen by whoever may inspect a container or reads its
child processes; a file is seen by its reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from evidence.errors import SettingsError

SUFFIX = "_FILE"
_MOST_BYTES = 64 * 2**10
_PASSWORD = re.compile(r"(://[^:/@\s]*:).*@")


def values_of_files(names: Iterable[str], environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The values of those of the settings `names` that the environment gives by a file.

    Raises SettingsError for a file that cannot be read or holds nothing, and for a setting given twice.
    """
    found = {}
    for name in names:
        variable = prefix + name.upper()
        path = environment.get(variable + SUFFIX)
        if path is None:
            continue
        if variable in environment:
            raise SettingsError(
                f"{variable} and {variable}{SUFFIX} are both set.", "Unset one of them: they may differ."
            )
        found[name] = _text(variable + SUFFIX, Path(path))
    return found


def without_password(value: object) -> object:
    """An address as it may be shown: its password, if it has one, replaced by stars."""
    return _PASSWORD.sub(r"\1***@", value) if isinstance(value, str) else value


def _text(variable: str, path: Path) -> str:
    """What the file holds, without the line break at its end."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{variable} names {path}, which cannot be read: {error}.",
            "Make it a text file that this user may read.",
        ) from None
    if not text:
        raise SettingsError(f"{variable} names {path}, which is empty.", "Write the secret into it.")
    return text
