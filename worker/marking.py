"""Marks what a generator of the suite makes, with this machine's key: `provenance.marking` for its files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from evidence.medium import Pixels
from exports.registry import ModelEntry
from provenance.c2pa import SigningKey
from provenance.marking import Origin, mark
from provenance.signers import development_key
from provenance.watermark.code import PAYLOAD_BYTES
from provenance.watermark.embed import SMALLEST_SIDE, embed
from provenance.watermark.keys import key_at
from worker.settings import Settings

FILE_MARKS, PIXEL_MARK = ("xmp", "c2pa"), "watermark"  # how a row of a manifest names them


class Marking:
    """Marks the files that one generator makes, unless `unmarked` was asked for; `row` says which it was."""

    def __init__(self, settings: Settings, entry: ModelEntry, *, unmarked: bool) -> None:
        self._folder = settings.data_dir / "signing"
        self._key_file = settings.generated_key
        self._payload = bytes.fromhex(entry.sha256)[:PAYLOAD_BYTES]
        self._tool = f"Touchstone {entry.name} {entry.version}"
        self._unmarked = unmarked

    def row(self, width: int, height: int) -> dict[str, list[str]]:
        """What the manifest says of a file whose pictures have this size."""
        if self._unmarked:
            return {"marks": []}
        return {"marks": [*FILE_MARKS, *([PIXEL_MARK] if min(width, height) >= SMALLEST_SIDE else ())]}

    def touch(self, pixels: Pixels) -> Pixels:
        """The pixels with the watermark, whose payload is the beginning of the model's sha256; raises
        WatermarkError. Pictures too small to carry it stay as they are."""
        if self._unmarked or min(pixels.shape[:2]) < SMALLEST_SIDE:
            return pixels
        return embed(pixels, self._secret, self._payload)

    def __call__(self, content: bytes, name: str, parent: Path | None, parent_title: str = "") -> bytes:
        """What is written as `name`; `parent` is the picture that was changed. Raises SigningError."""
        if self._unmarked:
            return content
        return mark(
            content, Path(name).suffix, Origin(self._tool, Path(name).name, parent, parent_title), self._key
        )

    @cached_property
    def _secret(self) -> bytes:
        return key_at(self._key_file)

    @cached_property
    def _key(self) -> SigningKey:
        return development_key(self._folder)
