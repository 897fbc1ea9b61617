"""Marks what a generator of the suite makes, with this machine's key: `provenance.marking` for its files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from exports.registry import ModelEntry
from provenance.c2pa import SigningKey
from provenance.marking import Origin, mark
from provenance.signers import development_key
from worker.settings import Settings

MARKS = ("xmp", "c2pa")  # how a row of a manifest names them


class Marking:
    """Marks the files that one generator makes, unless `unmarked` was asked for; `row` says which it was."""

    def __init__(self, settings: Settings, entry: ModelEntry, *, unmarked: bool) -> None:
        self._folder = settings.data_dir / "signing"
        self._tool = f"Touchstone {entry.name} {entry.version}"
        self._unmarked = unmarked

    @property
    def row(self) -> dict[str, list[str]]:
        """What the manifest says of each file."""
        return {"marks": [] if self._unmarked else list(MARKS)}

    def __call__(self, content: bytes, name: str, parent: Path | None) -> bytes:
        """What is written as `name`; `parent` is the picture that was changed. Raises SigningError."""
        if self._unmarked:
            return content
        return mark(content, Path(name).suffix, Origin(self._tool, Path(name).name, parent), self._key)

    @cached_property
    def _key(self) -> SigningKey:
        return development_key(self._folder)
