"""A video is cut between key frames, and its parts give together what the whole gives."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.container import WORTH_SEEKING, opened_at
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, Sampling
from evidence.sandbox import DecoderPool
from evidence.source import open_media
from evidence.timetable import Timetable, make_plan
from evidence.video import VideoReader, read_frames

LIMITS = DecodeLimits()
OFTEN = Sampling("every", 0.4)
CONTAINERS = [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9"), ("b.mkv", "libx265")]


@pytest.fixture(scope="module", params=CONTAINERS, ids=lambda one: one[0])
def long_clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds with a key frame each two, pictures shown out of order, groups that lean on others."""
    name, codec = request.param
    path = tmp_path_factory.mktemp("long") / name
    written(path, codec, frames=400, between_keys=20)
    return path


def written(path: Path, codec: str, *, frames: int, between_keys: int) -> None:
    """Ten noisy frames a second, each of its own brightness."""
    rng = np.random.default_rng(5)
    options = {"g": str(between_keys), "keyint_min": str(between_keys), "bf": "2", "flags": "-cgop"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 10)
        for number in range(frames):
            noise = rng.integers(0, 40, (64, 96, 3))
            picture = av.VideoFrame.from_ndarray((noise + number % 200).astype(np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def read(path: Path, sampling: Sampling) -> tuple[list[Frame], Coverage]:
    coverage = Coverage()
    return list(read_frames(path, sampling, LIMITS, coverage)), coverage


def seams_of(path: Path, sampling: Sampling) -> tuple[tuple[int, int], ...]:
    with open_media(path, LIMITS) as file:
        return VideoReader(file, LIMITS).describe(str(path), sampling).seams


@pytest.mark.parametrize("sampling", [OFTEN, Sampling("keyframes"), Sampling("every", 0.1, 70)], ids=str)
def test_parts_together_are_the_whole_to_the_pixel(long_clip: Path, sampling: Sampling) -> None:
    whole, seen = read(long_clip, sampling)
    ends = [frames for frames, _ in seams_of(long_clip, sampling)]

    parts = [read(long_clip, replace(sampling, part=part)) for part in pairwise([0, *ends])]

    assert len(ends) > 10
    found = [frame for frames, _ in parts for frame in frames]
    assert [(f.index, f.time_seconds) for f in found] == [(f.index, f.time_seconds) for f in whole]
    for part, frame in zip(found, whole, strict=True):
        np.testing.assert_array_equal(part.pixels, frame.pixels)
    assert sum(coverage.expected for _, coverage in parts) == seen.expected
    assert sum(coverage.errors for _, coverage in parts) == seen.errors == 0


def test_a_part_far_into_the_file_is_read_from_a_key_frame_near_it(long_clip: Path) -> None:
    with open_media(long_clip, LIMITS) as file:
        reader = VideoReader(file, LIMITS)
        mime = reader.describe("clip").mime
        with opened_at(file, mime, reader.table, WORTH_SEEKING + 100, 1) as (_, numbered):
            places = [next(numbered) for _ in range(3)]

    assert places[0][0] > WORTH_SEEKING
    for place, packet in places:
        assert packet.pts is not None
        assert packet.pts - reader.table.start == reader.table.ticks[place]


def test_camera_clips_give_the_same_frames_in_parts(shared_data: Path) -> None:
    # Among them one of x264 in 4:4:4, which is only read rightly by who has seen its first packet.
    for path in sorted((shared_data / "videos").glob("[bc]*.mp4")):
        whole, seen = read(path, OFTEN)
        ends = [frames for frames, _ in seams_of(path, OFTEN)]
        parts = [read(path, replace(OFTEN, part=part)) for part in pairwise([0, *ends])]
        found = [frame.pixels for frames, _ in parts for frame in frames]
        assert sum(coverage.errors for _, coverage in parts) == seen.errors
        assert len(found) == len(whole)
        assert all(np.array_equal(part, frame.pixels) for part, frame in zip(found, whole, strict=True)), path


def test_seams_lie_before_key_frames_and_count_what_is_decoded_up_to_them() -> None:
    # Groups of ten frames; one frame each half second.
    table = Timetable(np.arange(30), np.arange(30) % 10 == 0, np.ones(30, bool), known=True, tick_seconds=0.1)

    plan = make_plan(table, Sampling("every", 0.5), max_frames=100)

    # Of each group the first six packets: the key frame, and the way to the frame half a second later.
    assert plan.seams == ((2, 6), (4, 12), (6, 18))


def test_what_a_cut_off_file_lost_is_expected_of_its_last_part() -> None:
    table = Timetable(
        np.arange(30),
        np.arange(30) % 10 == 0,
        np.ones(30, bool),
        known=True,
        tick_seconds=0.1,
        stated_seconds=6.0,
    )

    parts = [make_plan(table, replace(OFTEN, part=part), max_frames=100) for part in ((0, 5), (5, 8))]

    assert [len(part.due) for part in parts] == [5, 3]
    assert [part.expected for part in parts] == [5, 3 + 8]


def test_decode_children_tell_of_seams_and_take_parts(long_clip: Path) -> None:
    with DecoderPool(workers=1) as pool:
        with pool.open(long_clip, OFTEN) as medium:
            seams = medium.info.seams
        with pool.open(long_clip, replace(OFTEN, part=(5, 7))) as medium:
            frames = [frame.time_seconds for frame in medium.frames()]

    assert seams == seams_of(long_clip, OFTEN)
    assert frames == pytest.approx([2.0, 2.4])
