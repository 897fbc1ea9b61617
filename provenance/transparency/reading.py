"""Proofs in files that people hand around: reports as JSON or HTML, one or many, and proofs alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evidence.errors import UnreadableMedia
from provenance.transparency.errors import LogError
from provenance.transparency.notes import Head, PublicKey
from provenance.transparency.proofs import Proof, proof_in

MOST_BYTES = 256 << 20
# How a page of ours carries a report as it was logged; what stands there is data to a browser, not a script.
BLOCK = '<script type="application/json" class="logged">'
_BLOCK = re.compile(re.escape(BLOCK) + r"(.*?)</script>", re.DOTALL)


def documents_in(path: Path) -> list[Mapping[str, Any]]:
    """What a file holds that may carry a proof. Raises UnreadableMedia, LogError for another kind of file."""
    text = _text(path)
    if text.lstrip()[:1] == "<":
        return [_object(block, path) for block in _BLOCK.findall(text)]
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return [_object(line, path) for line in text.splitlines() if line.strip()]
    found = said if isinstance(said, list) else [said]
    if not all(isinstance(one, dict) for one in found):
        raise _foreign(path)
    return found


def document_or_none(path: Path) -> Mapping[str, Any] | None:
    """A file's one JSON object; None of any other file. Raises UnreadableMedia."""
    try:
        with path.open("rb") as file:  # most media say so at once, and may be large
            if file.read(64).lstrip()[:1] not in (b"{", b"[", b"<"):
                return None
        found = documents_in(path)
    except OSError as error:
        raise UnreadableMedia(f"{path} cannot be read: {error.strerror}.", "Name another file.") from None
    except LogError:
        return None
    return found[0] if len(found) == 1 else None


def heads_in(path: Path, key: PublicKey) -> list[Head]:
    """The heads that a file tells of, signed by `key`: a head itself, or those of the proofs in it.

    Raises UnreadableMedia, LogError.
    """
    text = _text(path)
    if text.lstrip()[:1] not in ("{", "[", "<"):
        return [Head.signed(text, key)]
    found = [proof for one in documents_in(path) if (proof := proof_in(one)) is not None]
    if not found:
        raise LogError(f"{path} tells of no head of a log.", "Name a head, or a report with its proof.")
    return [Head.signed(Proof.read(str(one["proof"])).head, key) for one in found]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableMedia(f"{path} cannot be read: {error.strerror}.", "Name another file.") from None
    try:
        if len(data) <= MOST_BYTES:
            return data.decode()
    except UnicodeDecodeError:
        pass
    raise _foreign(path)


def _object(text: str, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _foreign(path) from None
    if not isinstance(found, dict):
        raise _foreign(path)
    return found


def _foreign(path: Path) -> LogError:
    return LogError(
        f"{path} is no report and no proof.",
        "Name a report, or what `touchstone log prove` wrote.",
    )
