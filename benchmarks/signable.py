"""A small file of every format that can hold Content Credentials, and of some that cannot, made by code."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import av
import numpy as np
import pillow_heif
from av.audio.stream import AudioStream
from PIL import Image

from benchmarks.media import pan, photo_like
from evidence.video import write_video

pillow_heif.register_heif_opener()

SIZE = 160, 240
RATE = 44_100


def make(mime: str, *, size: tuple[int, int] = SIZE, seed: int = 1) -> bytes:
    """The bytes of a file of this type; `size` is (height, width) of what has one."""
    return _MAKERS[mime](size, seed)


def _still(format_name: str, size: tuple[int, int], seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo_like(*size, seed)).save(file, format_name)
    return file.getvalue()


def _video(suffix: str, codec: str, size: tuple[int, int], seed: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip.{suffix}"
        write_video(path, list(pan(*size, 8, seed=seed)), 8, codec)
        return path.read_bytes()


def _sound(container: str, codec: str, _: tuple[int, int], seed: int) -> bytes:
    """One second of a tone."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = cast(AudioStream, output.add_stream(codec, rate=RATE))
        tone = (8000 * np.sin(np.arange(RATE) / (20 + seed))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        resampler = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=RATE, frame_size=stream.frame_size or 1024
        )
        for piece in (*resampler.resample(frame), None):
            for packet in stream.encode(piece):
                output.mux(packet)
    return file.getvalue()


def _svg(size: tuple[int, int], seed: int) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[1]}" height="{size[0]}">'
        f'<rect width="{seed}" height="5" fill="teal"/></svg>'
    ).encode()


def _jxl(_: tuple[int, int], seed: int) -> bytes:
    """The boxes of JPEG XL; there is no encoder here, and nobody but a decoder looks at the codestream."""
    parts = (
        (b"JXL ", b"\r\n\x87\n"),
        (b"ftyp", b"jxl \0\0\0\0jxl "),
        (b"jxlc", b"\xff\x0a" + np.random.default_rng(seed).bytes(4000)),
    )
    return b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in parts)


_MAKERS: dict[str, Callable[[tuple[int, int], int], bytes]] = {
    "image/jpeg": partial(_still, "JPEG"),
    "image/png": partial(_still, "PNG"),
    "image/webp": partial(_still, "WEBP"),
    "image/avif": partial(_still, "AVIF"),
    "image/heic": partial(_still, "HEIF"),
    "image/tiff": partial(_still, "TIFF"),
    "image/gif": partial(_still, "GIF"),
    "image/bmp": partial(_still, "BMP"),
    "image/svg+xml": _svg,
    "image/jxl": _jxl,
    "video/mp4": partial(_video, "mp4", "libx264"),
    "video/quicktime": partial(_video, "mov", "libx264"),
    "video/x-msvideo": partial(_video, "avi", "mjpeg"),
    "video/webm": partial(_video, "webm", "libvpx-vp9"),
    "video/x-matroska": partial(_video, "mkv", "libx264"),
    "audio/wav": partial(_sound, "wav", "pcm_s16le"),
    "audio/mpeg": partial(_sound, "mp3", "libmp3lame"),
    "audio/mp4": partial(_sound, "ipod", "aac"),
    "audio/flac": partial(_sound, "flac", "flac"),
}
TYPES = tuple(_MAKERS)
