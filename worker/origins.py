"""Where a medium comes from, without a detector: what it declares, where it was seen; and signing it.

For the API, which hands in what strangers sent: every file is parsed in locked-down children, which are
started when the first one is needed.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.errors import MediaError, SigningError
from evidence.inquiry import Reader
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from provenance.beside import BESIDE, Kind, thumbnail_of
from provenance.examine import Declared, examine, reader
from provenance.registry import Registry
from provenance.seen import Seen
from provenance.signing import Statement, manifest_definition
from provenance.signing_apart import SIGNER, Signed, says, sign_apart
from provenance.trust import TrustStore
from provenance.watermark.detect import Mark
from provenance.watermark.files import find_in_file
from provenance.watermark.keys import read_key
from worker.beside import picture_beside
from worker.remembering import look
from worker.settings import Settings
from worker.signing import signing_key


@dataclass(frozen=True)
class Verified:
    """What a file says of itself; `mark` is None where nobody could look for it."""

    declared: Declared
    mark: Mark | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        said = self.declared.to_dict()
        return {**said, "watermark": None if self.mark is None else self.mark.to_dict()}


class Origins:
    """Asks about media; safe to use from several threads. `close` ends its children."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._reading: DecoderPool | None = None
        self._pools: dict[str, DecoderPool] = {}
        self._trust = ""

    def close(self) -> None:
        """End the children."""
        self._opened.close()

    def verify(self, path: Path, sidecar: Path | None = None) -> Verified:
        """The credentials, claims and watermark of a file. Raises MediaError, TrustError, WatermarkError."""
        pool = self._reader()
        declared = examine(pool, str(path), sidecar)
        key_file = self._settings.generated_key
        if not self._settings.look_for_watermark or not key_file.exists():
            return Verified(declared, None)
        key = read_key(key_file)
        try:
            return Verified(declared, find_in_file(pool, str(path), key))
        except MediaError:  # a document or a recording has no pixels, and yet declares something
            return Verified(declared, None)

    def trace(self, tenant: str, path: Path) -> Seen:
        """Where a file, or what looks like it, was seen before by a tenant. Raises MediaError, StoreError."""
        known = look(self._reader(), str(path), self._settings.sampling)
        return self._registry.trace(tenant, known.sha256, known.fingerprint)

    def sign(self, path: Path, statement: Statement, *, parent_title: str = "") -> Signed:
        """A file with the service's signature under a statement. Raises SigningError, MediaError."""
        beside = b"" if statement.parent is None else self._thumbnail(statement.parent)
        return sign_apart(
            self._pool(SIGNER),
            path,
            manifest_definition(statement, Path(statement.title)),
            signing_key(self._settings),  # anew each time: it may be changed while the service runs
            edit=statement.what in ("edited", "scanned"),
            parent=statement.parent,
            parent_title=parent_title,
            thumbnail=beside,
            own=self._thumbnail(path),
        )

    def beside(self, path: Path, kind: Kind, sidecar: Path | None = None) -> Pixels | None:
        """A picture that a file's manifest holds beside it, if it does. Raises MediaError."""
        return picture_beside(self._pool(BESIDE), path, kind, sidecar)

    def picture(self, path: Path) -> Pixels:
        """The picture in a file, or the first frame of a film. Raises MediaError."""
        with self._reader().open(str(path), Sampling(max_frames=1)) as medium:
            return next(iter(medium.frames())).pixels

    def check(self, path: Path, sidecar: Path | None, statement: Statement) -> None:
        """Raise SigningError unless a signed file verifies and says what the statement says."""
        found = examine(self._reader(), str(path), sidecar).credentials
        if not says(found, manifest_definition(statement, Path(statement.title))):
            codes = ", ".join(problem.code for problem in found.problems) or found.state
            raise SigningError(
                f"What was written does not verify as what was asked for ({codes}), so it was thrown away.",
                "Save the file anew in its format, or in another, and sign that.",
            )

    def _reader(self) -> DecoderPool:
        """The children that read; anew where the trust lists were changed."""
        store = TrustStore(self._settings.trust_folder)
        with self._lock:
            fingerprint = store.fingerprint()
            if self._reading is None or self._trust != fingerprint:
                pool = DecoderPool(self._settings.limits, self._settings.decoders, reader=reader(store))
                self._reading = self._opened.enter_context(pool)
                self._trust = fingerprint
            return self._reading

    def _pool(self, reader: Reader) -> DecoderPool:
        """The child for one kind of question."""
        with self._lock:
            if reader.target not in self._pools:
                pool = DecoderPool(self._settings.limits, workers=1, reader=reader)
                self._pools[reader.target] = self._opened.enter_context(pool)
            return self._pools[reader.target]

    def _thumbnail(self, path: Path) -> bytes:
        """A small picture of a file; none of a file that cannot be decoded."""
        try:
            return thumbnail_of(self.picture(path))
        except (MediaError, StopIteration):
            return b""
