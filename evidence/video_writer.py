"""Write a video or a GIF, and pass one picture through H.264: for tests, films and degradations."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
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
    even = _even(pixels)
    encoder = av.CodecContext.create("libx264", "w")
    _shape(encoder, even, "libx264")
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency", "threads": "1"}
    frame = VideoFrame.from_ndarray(even, format="rgb24")
    frame.pts = 0
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoded = [picture for packet in (*packets, None) for picture in decoder.decode(packet)]
    result = decoded[0].reformat(format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(result[: pixels.shape[0], : pixels.shape[1]], dtype=np.uint8)


def _shape(context: VideoCodecContext, pixels: Pixels, codec: str) -> None:
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = _PIXEL_FORMATS.get(codec, "yuv420p")


def _even(pixels: Pixels) -> Pixels:
    """Pixels with both sides even, the last row and column repeated where needed."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)


# Lossless codecs keep RGB; Motion JPEG wants the full range.
_PIXEL_FORMATS = {"ffv1": "bgr0", "png": "rgb24", "mjpeg": "yuvj420p"}
