"""A mark in a file: pictures are written anew as PNG or JPEG, films frame by frame as H.264.

Media are decoded in the sandbox. Every frame of a film carries the same mark at the same place, so that
frames can be looked at together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from evidence.decode import DecodedMedium
from evidence.errors import DamagedMedia, TooSmall, UsageError
from evidence.files import write_whole
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg
from evidence.limits import DecodeLimits
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from evidence.video_writer import write_video
from generators.delivery import png
from provenance.watermark.code import PAYLOAD_BYTES
from provenance.watermark.detect import FALSE_POSITIVES, Mark, detect, detect_frames
from provenance.watermark.embed import embed

PICTURES = (".png", ".jpg", ".jpeg")
FILMS = (".mp4", ".mov", ".mkv")
JPEG_QUALITY = 95
FILM_CRF = 18
FRAMES_READ = 12
EVERY_SECONDS = 0.5


def embedding_limits(limits: DecodeLimits) -> DecodeLimits:
    """The limits under which a film is read to be marked: all of its frames."""
    return replace(limits, max_frames=round(limits.max_seconds * 240))


def target_for(path: Path, medium: DecodedMedium) -> Path:
    """Where a marked copy goes if nobody says: NAME.marked.png, .jpg for a JPEG, .mp4 for what moves."""
    moves = medium.info.kind != "image"
    suffix = ".mp4" if moves else ".jpg" if medium.info.mime == "image/jpeg" else ".png"
    return path.with_name(f"{path.stem}.marked{suffix}")


def mark_file(
    pool: DecoderPool, path: Path, target: Path | None, *, key: bytes, payload: bytes | None = None
) -> tuple[Path, bytes]:
    """Write a marked copy of `path`; where it is, and its payload.

    That is the beginning of the file's sha256 if it is not given. A copy is looked at before it takes its
    place. Raises MediaError, UsageError, OutputError.
    """
    with pool.open(path, Sampling(mode="all", max_frames=1 << 40)) as medium:
        target = target or target_for(path, medium)
        moves = medium.info.kind != "image"
        _refuse(path, target, FILMS if moves else PICTURES, medium)
        payload = payload or bytes.fromhex(medium.info.sha256)[:PAYLOAD_BYTES]
        if moves:
            _write_film(pool, target, medium, key=key, payload=payload)
        else:
            content = _picture(embed(_only(medium), key, payload), target)
            _refuse_unseen(detect(decode_image(content)[1], key))
            write_whole(target, content)
    return target, payload


def find_in_file(pool: DecoderPool, path: str, key: bytes) -> Mark:
    """Look for the key's mark in a picture, or in frames of a film together. Raises MediaError."""
    with pool.open(path, Sampling(every_seconds=EVERY_SECONDS, max_frames=FRAMES_READ)) as medium:
        frames = [frame.pixels for frame in medium.frames()]
    same = [frame for frame in frames if frame.shape == frames[0].shape]
    return detect_frames(same, key)


def _refuse(path: Path, target: Path, suffixes: tuple[str, ...], medium: DecodedMedium) -> None:
    """Raises UsageError where the copy cannot be what its name says, or would replace what it is made of."""
    if target.suffix.lower() not in suffixes:
        raise UsageError(
            f"A marked copy of this {medium.info.kind} cannot be written as {target.name}.",
            f"Name --out with one of {', '.join(suffixes)}.",
        )
    if target.exists() and path.exists() and target.samefile(path):
        raise UsageError("The marked copy would take the place of the original.", "Name another --out.")


def _only(medium: DecodedMedium) -> Pixels:
    for frame in islice(medium.frames(), 1):
        return frame.pixels
    raise DamagedMedia("The picture has no pixels.", "Get an undamaged copy of the file.")


def _picture(pixels: Pixels, target: Path) -> bytes:
    return png(pixels) if target.suffix.lower() == ".png" else encode_jpeg(pixels, JPEG_QUALITY, "4:4:4")


def _refuse_unseen(mark: Mark) -> None:
    if not mark.present:
        raise TooSmall(
            f"The mark cannot be told again in a marked copy: p = {mark.p_value:.2g}, and it is to be "
            f"{FALSE_POSITIVES:g} or less.",
            "Mark a larger version of the picture.",
        )


def _write_film(
    pool: DecoderPool, target: Path, medium: DecodedMedium, *, key: bytes, payload: bytes
) -> None:
    times: list[float] = []  # grows as frames are drawn, ahead of the writer

    def marked() -> Iterator[Pixels]:
        for frame in medium.frames():
            times.append(frame.time_seconds)
            yield embed(frame.pixels, key, payload)

    fresh = target.with_name(f".{target.stem}.{id(medium)}{target.suffix}")
    try:
        seconds = medium.info.duration_seconds or 0.0
        fps = (medium.info.frames or 0) / seconds if seconds else 25.0
        write_video(fresh, marked(), max(1.0, fps), crf=FILM_CRF, times=times)
        _refuse_unseen(find_in_file(pool, str(fresh), key))
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
