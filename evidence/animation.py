"""Frames of an animated GIF, WebP, PNG or AVIF by their stated durations.

Such files have no index: every frame is built on the one before, so all of them are decoded up to
the last one wanted, and only the wanted ones are turned into pixels. An animation is never refused
for its number of frames; it is sampled down to `max_frames` over its whole length, and a decode
that takes too long ends at the sandbox's time limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
from PIL import Image

from evidence.colour import to_srgb
from evidence.errors import DamagedMedia
from evidence.image import open_image, orientation, translated, upright
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, Sampling

# What browsers show a frame for when it states no duration.
DEFAULT_SECONDS = 0.1


def frames_of_animation(
    data: bytes, mime: str, sampling: Sampling, limits: DecodeLimits, coverage: Coverage
) -> Iterator[Frame]:
    """The sampled frames in order of time, upright RGB; fills `coverage` on the way.

    Modes "every" and "keyframes" take the first frame at or after each multiple of
    `every_seconds`. Frames behind one that cannot be decoded are lost and counted as an error.
    Raises `DamagedMedia` when the first frame is.
    """
    most = max(1, min(sampling.max_frames, limits.max_frames))
    wanted = _choose(_times(data, mime, limits), sampling, most)
    coverage.expected = len(wanted)
    coverage.errors += is_cut(data, mime)
    with ExitStack() as open_files:
        with translated(mime):
            image = open_files.enter_context(open_image(data, mime, limits))
            turned = orientation(image)
        for index, seconds in wanted:
            try:
                with translated(mime):
                    image.seek(index)
                    image.load()
                    pixels = upright(np.asarray(to_srgb(image)), turned)
            except DamagedMedia:
                if not coverage.decoded:
                    raise
                coverage.errors += 1
                return
            coverage.decoded += 1
            yield Frame(pixels, index, seconds, keyframe=index == 0)


def is_cut(data: bytes, mime: str) -> bool:
    """Whether a GIF breaks off before its end mark, which alone shows the cut: it states no number of frames.

    The blocks are followed one by one, for the mark is a byte that pixels hold too. The other formats
    state their length, and their parsers complain themselves.
    """
    if mime != "image/gif":
        return False
    try:
        at = 13 + _colours_bytes(data[10])
        while (block := data[at]) != 0x3B:
            at += 1
            if block == 0x2C:  # a picture: place and size, colours, code size
                at += 10 + _colours_bytes(data[at + 8])
            elif block == 0x21:  # an extension: its label
                at += 1
            else:  # a stray byte, which parsers pass over too
                continue
            while size := data[at]:
                at += 1 + size
            at += 1
    except IndexError:
        return True
    return False


def _colours_bytes(flags: int) -> int:
    """The length of a GIF's colour table, by the flags before it."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _times(data: bytes, mime: str, limits: DecodeLimits) -> list[float]:
    """When each frame is shown, in seconds; ends before a frame that cannot be reached."""
    times, now = [], 0.0
    with translated(mime), open_image(data, mime, limits) as image:
        for index in range(int(getattr(image, "n_frames", 1))):
            times.append(now)
            now += _duration(image, index)
    return times


def _duration(image: Image.Image, index: int) -> float:
    """The stated seconds of frame `index`. WebP and AVIF tell it only with the decoded frame."""
    try:
        image.seek(index)
        if "duration" not in image.info:
            image.load()
    except Exception:  # the frame itself will be reported when its turn comes
        return DEFAULT_SECONDS
    return float(image.info.get("duration") or 0) / 1000 or DEFAULT_SECONDS


def _choose(times: list[float], sampling: Sampling, most: int) -> list[tuple[int, float]]:
    """Index and time of the wanted frames, at most `most`, spread over the whole length."""
    shown = np.array(times)
    if sampling.mode == "all":
        places = np.arange(len(shown))
    else:
        every = max(sampling.every_seconds, shown[-1] / most, 1e-3)
        places = np.unique(np.searchsorted(shown, np.arange(0.0, shown[-1] + 1e-9, every) - 1e-9))
    if len(places) > most:
        places = places[np.linspace(0, len(places) - 1, most).round().astype(int)]
    return [(int(at), times[at]) for at in places]
