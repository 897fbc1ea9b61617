"""Write a video or a GIF, and pass pictures through a codec and back: for tests, films and degradations."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from evidence.errors import OutputError
from evidence.medium import Pixels

# For hand-made time stamps; MPEG-4 allows no finer tick than 1/65535.
TICK = Fraction(1, 60_000)


@dataclass(frozen=True)
class Codec:
    """What writes, what reads and what holds a codec, the shortest side it takes, how it is told to be quick.

    One thread and no look-ahead: the same frames give the same bytes on any number of processors.
    """

    encoder: str
    decoder: str
    smallest: int = 2
    options: dict[str, str] = field(default_factory=dict)
    container: str = "mp4"


CODECS = {
    "h264": Codec("libx264", "h264", options={"preset": "veryfast", "tune": "zerolatency"}),
    "h265": Codec(
        "libx265",
        "hevc",
        smallest=16,
        options={
            "preset": "veryfast",
            "tune": "zerolatency",
            "x265-params": "pools=none:frame-threads=1:log-level=none",
        },
    ),
    "vp9": Codec(
        "libvpx-vp9",
        "vp9",
        options={"b": "0", "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
        container="webm",
    ),
}


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[Pixels],
    fps: float,
    codec: str = "libx264",
    *,
    crf: int | None = None,
    times: Sequence[float] | None = None,
    keyframe_every: int | None = None,
    rotation: int = 0,
) -> None:
    """Write RGB frames of one size; the suffix of `path` names the container.

    `crf` is the codec's own quality number, `times` gives each frame's second in place of
    1 / `fps`, `keyframe_every` the longest distance of key frames in frames. `rotation` is the
    counterclockwise turn, in degrees, that a player is told to apply. Sides that 4:2:0 cannot
    hold are made even by repeating the last row or column. Raises `OutputError` when the codec
    or the disk refuses, or there are no frames.
    """
    options = {"preset": "veryfast"} if codec == "libx264" else {}
    if crf is not None:
        options["crf"] = str(crf)
    rate = Fraction(fps).limit_denominator(1001)
    tick = TICK if times is not None else 1 / rate
    try:
        with av.open(os.fspath(path), "w") as container:
            stream: VideoStream | None = None
            for index, pixels in enumerate(frames):
                even = _even(pixels)
                if stream is None:
                    stream = cast(VideoStream, container.add_stream(codec, rate=rate, options=options))
                    _shape(stream.codec_context, even, codec)
                    stream.codec_context.time_base = tick
                    if keyframe_every is not None:
                        stream.codec_context.gop_size = keyframe_every
                    if rotation:
                        stream.set_display_rotation(rotation)
                frame = VideoFrame.from_ndarray(even, format="rgb24")
                frame.time_base = tick
                frame.pts = index if times is None else round(times[index] / tick)
                container.mux(stream.encode(frame))
            if stream is None:
                raise OutputError(f"No frames were given for {path}.", "Give at least one.")
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as problem:
        raise OutputError(
            f"{path} cannot be written: {problem.strerror or problem}.", "Check the folder and the codec."
        ) from problem


def encode_clip(frames: Sequence[Pixels], fps: float, codec: str, *, crf: int) -> bytes:
    """A video file of RGB frames of one size by a codec of `CODECS`, in its container.

    The same frames give the same bytes on any number of processors. Raises `OutputError` when this build of
    FFmpeg lacks the codec or the codec refuses the pictures.
    """
    known = CODECS[codec]
    _require(codec)
    even = [_even(frame, known.smallest) for frame in frames]
    rate = Fraction(fps).limit_denominator(1001)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=known.container, options={"fflags": "+bitexact"}) as container:
            options = {"crf": str(crf), "threads": "1", "flags": "+bitexact", **known.options}
            stream = cast(VideoStream, container.add_stream(known.encoder, rate=rate, options=options))
            _shape(stream.codec_context, even[0], known.encoder)
            stream.codec_context.thread_count = 1
            for index, pixels in enumerate(even):
                container.mux(stream.encode(_numbered(pixels, index)))
            container.mux(stream.encode(None))
    except av.FFmpegError as problem:
        raise _refusal(known, frames[0], problem) from problem
    return file.getvalue()


def write_gif(path: str | os.PathLike[str], frames: Iterable[Pixels], fps: float) -> None:
    """Write RGB frames of one size as a GIF that repeats, each frame with its own 256 colours.

    GIF counts in hundredths of a second, so `fps` is rounded to what that can say. Raises `OutputError`
    when the disk refuses or there are no frames.
    """
    pictures = [Image.fromarray(frame) for frame in frames]
    if not pictures:
        raise OutputError(f"No frames were given for {path}.", "Give at least one.")
    duration_ms = max(1, round(100 / fps)) * 10
    try:
        pictures[0].save(path, "GIF", save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0)
    except OSError as problem:
        raise OutputError(
            f"{path} cannot be written: {problem.strerror or problem}.", "Check the folder."
        ) from None


def h264_roundtrip(pixels: Pixels, crf: int) -> Pixels:
    """One RGB picture as it looks after H.264 at a constant rate factor 0..51: an intra frame, 4:2:0."""
    return roundtrip([pixels], crf)[0]


def roundtrip(frames: Sequence[Pixels], crf: int, codec: str = "h264") -> list[Pixels]:
    """RGB frames of one size as they look after a codec of `CODECS`, the first a key frame; 4:2:0.

    Raises `OutputError` when this build of FFmpeg lacks the codec or the codec refuses the pictures.
    """
    known = CODECS[codec]
    _require(codec)
    height, width = frames[0].shape[:2]
    even = [_even(frame, known.smallest) for frame in frames]
    encoder = cast(VideoCodecContext, av.CodecContext.create(known.encoder, "w"))
    _shape(encoder, even[0], known.encoder)
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"crf": str(crf), "threads": "1", **known.options}
    decoder = cast(VideoCodecContext, av.CodecContext.create(known.decoder, "r"))
    decoder.thread_count = 1
    try:
        packets = [
            packet for index, one in enumerate(even) for packet in encoder.encode(_numbered(one, index))
        ]
        packets += encoder.encode(None)
        decoded = [picture for packet in (*packets, None) for picture in decoder.decode(packet)]
    except av.FFmpegError as problem:
        raise _refusal(known, frames[0], problem) from problem
    return [_read_back(picture, height, width) for picture in decoded]


@cache
def can_encode(codec: str) -> bool:
    """Whether this build of FFmpeg writes a codec of `CODECS`."""
    return CODECS[codec].encoder in av.codecs_available


def _require(codec: str) -> None:
    if not can_encode(codec):
        raise OutputError(
            f"This build of FFmpeg cannot write {CODECS[codec].encoder}.", "Install PyAV from its own wheels."
        )


def _refusal(codec: Codec, pixels: Pixels, problem: av.FFmpegError) -> OutputError:
    height, width = pixels.shape[:2]
    return OutputError(
        f"{codec.encoder} refuses pictures of {width} x {height} px: {problem.strerror}.",
        "Choose another codec for pictures of this size.",
    )


def _numbered(pixels: Pixels, index: int) -> VideoFrame:
    frame = VideoFrame.from_ndarray(pixels, format="rgb24")
    frame.pts = index
    return frame


def _read_back(picture: VideoFrame, height: int, width: int) -> Pixels:
    result = picture.reformat(format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(result[:height, :width], dtype=np.uint8)


def _shape(context: VideoCodecContext, pixels: Pixels, codec: str) -> None:
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = _PIXEL_FORMATS.get(codec, "yuv420p")


def _even(pixels: Pixels, smallest: int = 2) -> Pixels:
    """Pixels with both sides even and no shorter, the last row and column repeated where needed."""
    growth = [max(smallest - side, side % 2) for side in pixels.shape[:2]]
    if any(growth):
        pixels = np.pad(pixels, ((0, growth[0]), (0, growth[1]), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)


# Lossless codecs keep RGB; Motion JPEG wants the full range.
_PIXEL_FORMATS = {"ffv1": "bgr0", "png": "rgb24", "mjpeg": "yuvj420p"}
