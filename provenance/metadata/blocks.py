"""What is said about a file in the places its format has for that, found and bounded.

No pixel is decoded and nothing is parsed further than to where a block begins and ends. A block is cut
to `MOST_BLOCK_BYTES`, all of a file to `MOST_BYTES`, and a file may have `MOST_BLOCKS`; what is packed is
unpacked no further than that. Sizes that lie end the walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO

from provenance.metadata.moving import boxes, marked, matroska
from provenance.metadata.place import MOST_BLOCK_BYTES, Block, ByPlace, Ended
from provenance.metadata.stills import gif, jpeg, png, riff, tiff

MOST_BYTES = 4 << 20
MOST_BLOCKS = 1000


def blocks(file: BinaryIO, mime: str) -> Iterator[Block]:
    """What is said in an open file of this type, in its order; nothing for a type without a place for it."""
    walk = _WALKS.get(mime)
    if walk is None:
        return
    left = MOST_BYTES
    count = 0
    with suppress(Ended, OSError, ValueError, OverflowError):
        for block in walk(ByPlace(file)):
            data = block.data[: min(MOST_BLOCK_BYTES, left)]
            left -= len(data)
            count += 1
            if data:
                yield Block(block.kind, block.name, data)
            if left <= 0 or count >= MOST_BLOCKS:
                return


_WALKS: dict[str, Callable[[ByPlace], Iterator[Block]]] = {
    "image/jpeg": jpeg,
    "image/png": png,
    "image/webp": riff,
    "image/gif": gif,
    "image/tiff": tiff,
    "image/avif": marked,
    "image/heic": marked,
    "image/jxl": marked,
    "image/svg+xml": marked,
    "application/pdf": marked,
    "audio/wav": riff,
    "video/x-msvideo": riff,
    "video/mp4": boxes,
    "video/quicktime": boxes,
    "audio/mp4": boxes,
    "video/webm": matroska,
    "video/x-matroska": matroska,
}
