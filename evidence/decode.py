"""One file to its frames, whatever it is: sniffed, read, and handed to the one decoder that fits.

This is what runs in the sandbox's children; `DecodedMedium` is what comes out, there and inline.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO

from evidence.animation import frames_of_animation, is_cut
from evidence.image import decode_bytes
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, MediaInfo, Pixels, Sampling
from evidence.sniff import HEAD_BYTES, IMAGE_MIMES, sniff
from evidence.source import read_all
from evidence.video import VideoReader


class DecodedMedium:
    """A medium being decoded: what is known of it, and its frames, once.

    `coverage` is complete when the frames are exhausted. Leaving them unread is allowed; `close`,
    or leaving a `with` block, gives back what still works for them.
    """

    def __init__(
        self,
        info: MediaInfo,
        frames: Iterator[Frame],
        coverage: Coverage,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.info = info
        self.coverage = coverage
        self._frames = frames
        self._on_close = on_close

    def frames(self) -> Iterator[Frame]:
        """The sampled frames in order of time; one for an image. Raises the kinds of `MediaError`."""
        return self._frames

    def close(self) -> None:
        self._on_close()

    def __enter__(self) -> DecodedMedium:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def decode(
    file: BinaryIO, path: str, sampling: Sampling, limits: DecodeLimits, threads: int = 0
) -> DecodedMedium:
    """Decode an open file; `path` is only its name. The file must stay open while frames are read.

    `threads` is the number of threads for video, 0 for as many as there are processors. Raises
    the `MediaError` that names what is wrong with the file.
    """
    file.seek(0)
    mime = sniff(file.read(HEAD_BYTES))
    coverage = Coverage()
    if mime not in IMAGE_MIMES:
        reader = VideoReader(file, limits, threads)
        return DecodedMedium(reader.describe(path, sampling), reader.frames(sampling, coverage), coverage)
    file.seek(0)
    data = read_all(file, os.fspath(path))
    info, pixels = decode_bytes(data, path, limits)
    if info.kind == "animation":
        moving = frames_of_animation(data, mime, sampling, limits, coverage)
        return DecodedMedium(info, moving, coverage)
    coverage.expected = 1
    coverage.errors += is_cut(data, mime)
    return DecodedMedium(info, _one(pixels, coverage), coverage)


def _one(pixels: Pixels, coverage: Coverage) -> Iterator[Frame]:
    coverage.decoded = 1
    yield Frame(pixels)
