"""The FFmpeg side of video: a container opened by its one demuxer, its packets, its pictures.

Only listed demuxers and codecs are let near a file, no protocol is (a playlist or a reference
cannot reach another file or the network), and FFmpeg's errors are translated here.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import chain
from typing import BinaryIO, TypeAlias

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from evidence.errors import DamagedMedia, LimitExceeded, UnsupportedMedia
from evidence.medium import Coverage
from evidence.timetable import Timetable

DEMUXERS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/x-matroska": "matroska",
    "video/webm": "matroska",
    "video/x-msvideo": "avi",
}
Numbered: TypeAlias = "Iterator[tuple[int, Packet[VideoStream]]]"
CODECS = (
    *("h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9", "av1", "libdav1d"),
    *("mpeg4", "msmpeg4", "msmpeg4v2", "mpeg1video", "mpeg2video", "h263", "mjpeg"),
    *("prores", "dnxhd", "ffv1", "png", "rawvideo"),
)
READ_BUFFER_BYTES = 1 << 17
WORTH_SEEKING = 250  # packets; fewer are read faster than a container finds its way
MAX_READ_ERRORS = 100


@contextmanager
def opened(
    file: BinaryIO, mime: str, threads: int | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container, read from its start, and its first moving picture.

    `threads` is the number of decoding threads. FFmpeg's errors inside the block become `DamagedMedia`, or
    `LimitExceeded` when memory ran out.
    Raises `UnsupportedMedia` for a file without a video stream, or with a codec we do not decode.
    """
    file.seek(0)
    try:
        with av.open(
            file,
            "r",
            format=DEMUXERS[mime],
            container_options={"codec_whitelist": ",".join(CODECS), "protocol_whitelist": "none"},
            metadata_errors="replace",
            buffer_size=READ_BUFFER_BYTES,
        ) as container:
            stream = _moving_picture(container)
            if threads is not None:
                context = stream.codec_context
                context.thread_type, context.thread_count = ThreadType.AUTO, threads
            yield container, stream
    except (FFmpegError, MemoryError) as problem:
        if isinstance(problem, MemoryError) or problem.errno == errno.ENOMEM:
            raise LimitExceeded(
                "Decoding this video takes more memory than a decoder may use.",
                "Raise the memory limit in the settings or hand in a smaller copy.",
            ) from problem
        raise DamagedMedia(
            f"The {mime.partition('/')[2]} container cannot be read: {problem.strerror}.",
            "Get an undamaged copy of the file.",
        ) from problem


@contextmanager
def opened_at(
    file: BinaryIO, mime: str, table: Timetable, position: int, threads: int
) -> Iterator[tuple[VideoStream, Numbered]]:
    """As `opened`, with the numbered packets from one at or before `position` on.

    The decoder has seen the first packet: x264 says there, and nowhere else, how its stream must be read.
    Where the container cannot be trusted to have gone to a packet that the table knows, all are read.
    """
    with opened(file, mime, threads) as (container, stream):
        coming, at = sound_packets(container, stream), 0
        first = next(coming, None) if position else None
        if first is not None:
            for _ in _decode(stream.codec_context, first, Coverage()):
                pass
            stream.codec_context.flush_buffers()
        if first is not None and position >= WORTH_SEEKING:
            with suppress(FFmpegError):
                container.seek(int(table.ticks[position]) + table.start, stream=stream)
            first = next(coming := sound_packets(container, stream), None)
            at = table.place(first.pts) if first is not None and first.pts is not None else -1
        if 0 <= at <= position:
            yield stream, enumerate(coming if first is None else chain([first], coming), at)
            return
    with opened(file, mime, threads) as (container, stream):
        yield stream, enumerate(sound_packets(container, stream))


def read_timetable(container: InputContainer, stream: VideoStream) -> Timetable:
    """Read all packets of the stream, decoding nothing.

    AVI keeps no presentation times: FFmpeg's are guesses, wrong around pictures shown out of order.
    """
    ticks, flags = array("q"), bytearray()
    known, errors = container.format.name != "avi", 0
    for packet in packets(container, stream):
        if packet is None:
            errors += 1
            continue
        known &= packet.pts is not None
        ticks.append(packet.pts or 0)
        flags.append(packet.is_keyframe | packet.is_discard << 1)
    marks = np.frombuffer(bytes(flags), dtype=np.uint8)
    numbers = np.array(ticks, dtype=np.int64)
    shown = marks & 2 == 0
    start = stream.start_time
    if start is None:
        start = int(numbers[shown].min()) if shown.any() else 0
    shown &= numbers >= start
    tick_seconds = float(stream.time_base or Fraction(1, 1000))
    stated = stream.duration * tick_seconds if stream.duration else (container.duration or 0) / av.time_base
    return Timetable(
        ticks=numbers - start,
        key=marks & 1 == 1,
        shown=shown,
        known=known and bool(shown.any()),
        tick_seconds=tick_seconds,
        start=start,
        stated_seconds=stated if stated > 0 else None,
        errors=errors,
    )


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
    """The stream's packets in file order; `None` for each failure to read one, up to a hundred."""
    for _ in range(MAX_READ_ERRORS):
        try:
            for packet in container.demux(stream):
                if packet.size:  # PyAV ends with an empty one of its own
                    yield packet
            return
        except FFmpegError:
            yield None


def sound_packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets that can be read: those that a timetable has."""
    return (packet for packet in packets(container, stream) if packet is not None)


def pictures(
    numbered: Numbered,
    stream: VideoStream,
    start: int,
    *,
    stretches: tuple[tuple[int, int], ...],
    due: tuple[int, ...],
    coverage: Coverage,
) -> Iterator[VideoFrame]:
    """Decode the packets at `stretches` (first, last); pictures that none of `due` needs are skipped.

    `numbered` are packets with their positions in the file, from one at or before the first stretch on.

    `start` is the container's number for tick 0. Without `due` every picture is decoded. Packets
    that do not decode are counted in `coverage`.
    """
    context = stream.codec_context
    left = list(reversed(stretches))
    wanted = set(due)
    for position, packet in numbered:
        if position < left[-1][0]:
            continue
        if wanted:
            needed = packet.pts is not None and packet.pts - start in wanted
            context.skip_frame = "DEFAULT" if needed else "NONREF"
        yield from _decode(context, packet, coverage)
        if position == left[-1][1]:
            yield from _decode(context, None, coverage)
            left.pop()
            if not left:
                return
            context.flush_buffers()
    yield from _decode(context, None, coverage)


def first_picture(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """The first picture that decodes within the first packets, for what only a picture tells."""
    for packet, _ in zip(packets(container, stream), range(MAX_READ_ERRORS), strict=False):
        for picture in _decode(stream.codec_context, packet, Coverage()) if packet else ():
            return picture
    return next(_decode(stream.codec_context, None, Coverage()), None)


def _moving_picture(container: InputContainer) -> VideoStream:
    """The first video stream that is no cover art, if we decode its codec."""
    cover = Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise UnsupportedMedia(
            f"The file holds {' and '.join(kinds) or 'nothing'} but no video stream.",
            "Hand in a file with moving pictures.",
        )
    context = streams[0].codec_context
    if context is None or context.name not in CODECS:
        name = "unknown" if context is None else context.name
        raise UnsupportedMedia(
            f"The video codec ({name}) is none that we decode.", "Convert the video to H.264 in MP4."
        )
    return streams[0]


def _decode(
    context: VideoCodecContext, packet: Packet[VideoStream] | None, coverage: Coverage
) -> Iterator[VideoFrame]:
    """The sound pictures that a packet brings out; `None` brings out those still held back."""
    try:
        for picture in context.decode(packet):
            if picture.is_corrupt:
                coverage.errors += 1
            else:
                yield picture
    except FFmpegError as problem:
        if problem.errno == errno.ENOMEM:
            raise
        coverage.errors += 1
