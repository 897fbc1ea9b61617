"""What a file says of where it comes from, read in a child of the sandbox.

`reader` is handed to a `DecoderPool`; `examine` asks it about one file. A file that hangs or kills the
child has unreadable credentials, which is a finding like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from evidence.errors import DecoderCrashed, DecodeTimeout, EmptyMedia, LimitExceeded
from evidence.inquiry import Reader
from evidence.sandbox import DecoderPool
from evidence.wire import Message
from provenance.c2pa import UNREADABLE, CredentialReader
from provenance.credentials import Credentials, Problem
from provenance.formats import media_type
from provenance.metadata.claims import Claim, read_claims
from provenance.trust import TrustList, TrustStore

MOST_SIDECAR_BYTES = 32 << 20
_ASKED = 3  # processes, at most, about one file


@dataclass(frozen=True)
class Declared:
    """What a file declares of itself. `mime` is what its bytes are, whatever its name says."""

    mime: str = ""
    credentials: Credentials = field(default_factory=Credentials)
    claims: tuple[Claim, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        claims = [asdict(claim) for claim in self.claims]
        return {"mime": self.mime, "credentials": self.credentials.to_dict(), "claims": claims}


class Examiner:
    """What runs in the child: made once with the trust lists, then called with one file after another."""

    def __init__(self, lists: Sequence[dict[str, Any]], revoked: Sequence[str]) -> None:
        self._credentials = CredentialReader([TrustList(**row) for row in lists], frozenset(revoked))

    def __call__(self, files: Sequence[BinaryIO], name: str) -> dict[str, Any]:
        """The medium comes first, its sidecar second where it has one."""
        file = files[0]
        mime = media_type(file)
        sidecar = files[1].read(MOST_SIDECAR_BYTES) if len(files) > 1 else b""
        found = Declared(mime, self._credentials.read(file, mime, sidecar), read_claims(file, mime))
        return found.to_dict()


def reader(trust: TrustStore, extra: Sequence[TrustList] = ()) -> Reader:
    """The reader for a pool of decode children, with the lists as they are now. Raises TrustError."""
    lists = [asdict(one) for one in (*trust.lists(), *extra)]
    return Reader("provenance.examine:Examiner", {"lists": lists, "revoked": sorted(trust.revoked())})


def examine(pool: DecoderPool, path: str, sidecar: Path | None = None) -> Declared:
    """What a file, or its sidecar, declares; a pool that was given `reader`. Raises UnreadableMedia.

    The sidecar is looked for beside the file unless it is named.

    A reading process that dies may have been killed for another reason than the file, and the one that starts
    such processes with it: another is asked, and only what ends three of them is the file's.
    """
    try:
        said = _asked(pool, path, sidecar)
    except EmptyMedia:
        return Declared()
    except (DecoderCrashed, DecodeTimeout, LimitExceeded) as error:
        return Declared(credentials=Credentials("invalid", (Problem(UNREADABLE, error.message),)))
    try:
        claims = tuple(Claim(**row) for row in said["claims"])
        return Declared(str(said["mime"]), Credentials.from_dict(said["credentials"]), claims)
    except (KeyError, TypeError, ValueError, AttributeError):  # a child that a file has taken over
        problem = Problem(UNREADABLE, "The process that read this file answered nonsense.")
        return Declared(credentials=Credentials("invalid", (problem,)))


def sidecar_of(path: Path) -> Path | None:
    """The manifest that lies beside a file: photo.jpg.c2pa, else photo.c2pa, of an ordinary size."""
    for place in (path.with_name(f"{path.name}.c2pa"), path.with_suffix(".c2pa")):
        try:
            if place != path and place.is_file() and 0 < place.stat().st_size <= MOST_SIDECAR_BYTES:
                return place
        except (OSError, ValueError):  # a name that cannot be one, a folder that may not be looked into
            continue
    return None


def _asked(pool: DecoderPool, path: str, sidecar: Path | None) -> Message:
    for _ in range(_ASKED - 1):
        with suppress(DecoderCrashed):
            return _said(pool, path, sidecar)
    return _said(pool, path, sidecar)


def _said(pool: DecoderPool, path: str, sidecar: Path | None) -> Message:
    beside = sidecar or sidecar_of(Path(path))
    return pool.read(path, *([] if beside is None else [beside]))
