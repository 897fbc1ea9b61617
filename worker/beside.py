"""The pictures that a manifest holds beside its file, decoded as what they are: pictures of strangers."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from evidence.errors import MediaError
from evidence.limits import DecodeLimits
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from provenance.beside import BESIDE, Kind, picture_in
from provenance.examine import sidecar_of


def picture_beside(pool: DecoderPool, path: Path, kind: Kind, sidecar: Path | None = None) -> Pixels | None:
    """A picture out of a file's manifest, None without one, by a pool that was given `BESIDE`.

    Raises MediaError.
    """
    data = picture_in(pool.read(str(path), *([] if sidecar is None else [sidecar])), kind)
    if not data:
        return None
    with tempfile.NamedTemporaryFile(suffix=".jpg") as held:
        held.write(data)
        held.flush()
        return _first(pool, held.name)


class Beside:
    """The same for a command: a pool of its own, which is started when the first picture is asked for."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._opened = ExitStack()
        self._pool: DecoderPool | None = None

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def find(self, path: str, kind: Kind) -> Pixels | None:
        """A picture out of the manifest of a file, or of the one beside it; None where that cannot be had."""
        try:
            return picture_beside(self._started(), Path(path), kind, sidecar_of(Path(path)))
        except MediaError:
            return None

    def picture(self, path: str) -> Pixels | None:
        """The picture in a file itself, or the first frame of a film; None where that cannot be had."""
        try:
            return _first(self._started(), path)
        except MediaError:
            return None

    def _started(self) -> DecoderPool:
        if self._pool is None:
            self._pool = self._opened.enter_context(DecoderPool(self._limits, workers=1, reader=BESIDE))
        return self._pool


def _first(pool: DecoderPool, path: str) -> Pixels:
    with pool.open(path, Sampling(max_frames=1)) as medium:
        return next(iter(medium.frames())).pixels
