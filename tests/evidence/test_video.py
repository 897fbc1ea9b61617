"""Videos give upright frames at true times; what is lost is counted, what is broken is said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from evidence.errors import DamagedMedia, LimitExceeded, MediaError, OutputError, UnsupportedMedia
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, Pixels, Sampling
from evidence.video import h264_roundtrip, probe_video, read_frames, write_video
from evidence.video_writer import CODECS, Codec, can_encode, roundtrip

LIMITS = DecodeLimits()
ALL = Sampling("all")


def _steps(count: int, height: int = 48, width: int = 64) -> list[Pixels]:
    """Flat grey frames, each eight levels brighter than the one before: a frame tells its number."""
    return [np.full((height, width, 3), 5 + 8 * number, np.uint8) for number in range(count)]


def _number(frame: Frame) -> int:
    return round((float(frame.pixels.mean()) - 5) / 8)


def _read(
    path: Path, sampling: Sampling = ALL, limits: DecodeLimits = LIMITS
) -> tuple[list[Frame], Coverage]:
    coverage = Coverage()
    return list(read_frames(path, sampling, limits, coverage)), coverage


CONTAINERS = [
    ("a.mp4", "libx264", "video/mp4", "h264"),
    ("a.mov", "mpeg4", "video/quicktime", "mpeg4"),
    ("a.mkv", "ffv1", "video/x-matroska", "ffv1"),
    ("a.webm", "libvpx-vp9", "video/webm", "vp9"),
    ("a.avi", "mjpeg", "video/x-msvideo", "mjpeg"),
    ("b.avi", "libx264", "video/x-msvideo", "h264"),
]


@pytest.mark.parametrize(("name", "codec", "mime", "told"), CONTAINERS)
def test_every_container_gives_every_frame_at_its_time(
    tmp_path: Path, name: str, codec: str, mime: str, told: str
) -> None:
    write_video(tmp_path / name, _steps(30), 10, codec)

    info = probe_video(tmp_path / name)
    frames, coverage = _read(tmp_path / name)

    assert (info.kind, info.mime, info.codec, info.frames) == ("video", mime, told, 30)
    assert (info.width, info.height, info.duration_seconds) == (64, 48, pytest.approx(3.0, abs=0.01))
    assert info.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert [_number(frame) for frame in frames] == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    # Matroska counts whole milliseconds.
    assert [frame.time_seconds for frame in frames] == pytest.approx(np.arange(30) / 10, abs=1e-3)
    assert (coverage.decoded, coverage.expected, coverage.errors) == (30, 30, 0)


@pytest.mark.parametrize(("name", "codec"), [(row[0], row[1]) for row in CONTAINERS])
def test_one_frame_each_half_second_is_the_right_one(tmp_path: Path, name: str, codec: str) -> None:
    write_video(tmp_path / name, _steps(30), 10, codec, keyframe_every=8)

    frames, coverage = _read(tmp_path / name, Sampling("every", 0.5))

    assert [_number(frame) for frame in frames] == [0, 5, 10, 15, 20, 25]
    assert (coverage.decoded, coverage.expected) == (6, 6)


def test_sampled_frames_are_the_same_pixels_as_a_full_decode(clip: Path) -> None:
    full, _ = _read(clip)

    for sampling in (Sampling("every", 0.3), Sampling("keyframes")):
        sampled, _ = _read(clip, sampling)
        assert len(sampled) >= 2
        for frame in sampled:
            assert np.array_equal(frame.pixels, full[frame.index].pixels)
            assert frame.time_seconds == full[frame.index].time_seconds


def test_the_key_frame_pass_hands_out_key_frames_alone(clip: Path) -> None:
    frames, coverage = _read(clip, Sampling("keyframes"))

    assert [frame.time_seconds for frame in frames] == [0.0, 1.0]
    assert all(frame.keyframe for frame in frames)
    assert coverage.expected == 2


def test_variable_frame_rate_keeps_its_true_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 1.7, 1.75, 3.0]
    write_video(tmp_path / "v.mp4", _steps(7), 25, times=times)

    info = probe_video(tmp_path / "v.mp4")
    frames, _ = _read(tmp_path / "v.mp4")
    sampled, _ = _read(tmp_path / "v.mp4", Sampling("every", 1.0))

    assert info.fps_mode == "variable"
    # MP4 stores ticks of 1/60000 s here.
    assert [frame.time_seconds for frame in frames] == pytest.approx(times, abs=1e-4)
    # Seconds 0, 1, 2 and 3: both 2 and 3 are served by the frame at 3 s.
    assert [_number(frame) for frame in sampled] == [0, 4, 6]
    assert probe_video(_written(tmp_path / "c.mp4", _steps(9), 29.97)).fps_mode == "constant"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_video_comes_out_upright(tmp_path: Path, turn: int) -> None:
    # Given an upright scene with four corners, stored so that a player must turn it back.
    upright = np.zeros((48, 80, 3), np.uint8)
    upright[:24, :40], upright[:24, 40:], upright[24:, :40] = (220, 20, 20), (20, 220, 20), (20, 20, 220)
    stored = np.ascontiguousarray(np.rot90(upright, -turn // 90))
    write_video(tmp_path / "turned.mp4", [stored] * 3, 25, crf=4, rotation=turn)

    info = probe_video(tmp_path / "turned.mp4")
    frames, _ = _read(tmp_path / "turned.mp4")

    assert (info.width, info.height, info.rotation) == (80, 48, 360 - turn)
    # Away from the corners' edges only the coding error of flat colour is left.
    corners = np.s_[8:48:31, 8:80:63]
    assert np.abs(frames[0].pixels[corners].astype(int) - upright[corners]).max() < 12


def test_a_time_range_gives_the_frames_inside_it(clip: Path) -> None:
    frames = list(read_frames(clip, ALL, LIMITS, Coverage(), time_range=(0.5, 0.8)))

    assert [frame.index for frame in frames] == [13, 14, 15, 16, 17, 18, 19]


def test_more_frames_than_allowed_are_spread_over_the_whole_video(clip: Path) -> None:
    few, _ = _read(clip, Sampling("all", max_frames=5))
    fewer, _ = _read(clip, Sampling("every", 0.04, max_frames=99), DecodeLimits(max_frames=4))

    assert [frame.index for frame in few] == [0, 12, 24, 37, 49]
    assert len(fewer) == 4
    assert fewer[-1].time_seconds >= 1.5


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", _steps(1), 25)

    for mode in ("every", "keyframes", "all"):
        frames, coverage = _read(tmp_path / "one.mp4", Sampling(mode))  # type: ignore[arg-type]
        assert (len(frames), coverage.expected) == (1, 1)
    assert probe_video(tmp_path / "one.mp4").fps_mode is None


def test_a_file_of_sound_alone_has_no_video_stream(tmp_path: Path) -> None:
    for name, codec in (("sound.mp4", "aac"), ("sound.mkv", "pcm_s16le")):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream(codec, rate=8000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
            for packet in (*stream.encode(frame), *stream.encode(None)):
                container.mux(packet)

        with pytest.raises(UnsupportedMedia, match="audio but no video stream"):
            probe_video(tmp_path / name)


def test_an_mp4_without_its_index_is_damaged(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"

    for quarter in (1, 2, 3):
        # This writer puts the index last, so every cut loses it.
        cut.write_bytes(data[: len(data) * quarter // 4])
        with pytest.raises(DamagedMedia, match="container cannot be read"):
            probe_video(cut)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_stream_that_breaks_off_is_read_as_far_as_it_goes_and_says_so(
    tmp_path: Path, name: str, quarter: int
) -> None:
    codec = {"a.webm": "libvpx-vp9", "a.mkv": "ffv1", "a.avi": "mjpeg"}[name]
    noise = np.random.default_rng(1).integers(0, 256, (60, 32, 48, 3), dtype=np.uint8)
    write_video(tmp_path / name, noise, 10, codec, keyframe_every=10)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * quarter // 4])

    try:
        frames, coverage = _read(tmp_path / name, Sampling("every", 0.1))
    except DamagedMedia:
        # AVI keeps its index last and a short piece may hold no whole frame.
        assert name == "a.avi"
        return
    assert len(frames) == coverage.decoded < 60
    assert coverage.decoded < 0.9 * coverage.expected or coverage.errors > 0


def test_flipped_bytes_are_counted_and_decoding_goes_on(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "a.mp4", noise, 10, crf=30, keyframe_every=10)
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    body = data.index(b"mdat") + 8
    data[body + 20_000 : body + 20_400] = bytes(400)
    (tmp_path / "a.mp4").write_bytes(data)

    frames, coverage = _read(tmp_path / "a.mp4")

    assert coverage.errors > 0
    assert 20 < len(frames) <= 40
    assert frames[-1].index == 39


def test_any_flipped_bytes_end_in_frames_or_a_media_error(clip: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    data = np.frombuffer(clip.read_bytes(), np.uint8)
    hurt = tmp_path / "hurt.mp4"
    for round_number in range(12):
        flipped = data.copy()
        # Every second round hurts the index at the end, the others the pictures.
        low, high = (len(data) - 1500, len(data)) if round_number % 2 else (40, len(data) - 1500)
        flipped[rng.integers(low, high, 10)] ^= np.uint8(0x41)
        hurt.write_bytes(flipped.tobytes())
        try:
            probe_video(hurt)
            frames, coverage = _read(hurt)
        except MediaError:
            continue
        assert len(frames) == coverage.decoded <= coverage.expected


def test_random_bytes_behind_a_good_head_are_damaged(tmp_path: Path) -> None:
    heads = {
        "r.mp4": b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom",
        "r.mkv": b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska",
        "r.avi": b"RIFF\x00\x00\x00\x00AVI LIST",
    }
    for name, head in heads.items():
        (tmp_path / name).write_bytes(head + np.random.default_rng(0).bytes(20_000))
        with pytest.raises((DamagedMedia, UnsupportedMedia)):
            probe_video(tmp_path / name)


def test_a_codec_off_the_list_is_refused_by_name(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", _steps(2), 25, "magicyuv")

    with pytest.raises(UnsupportedMedia, match="magicyuv"):
        probe_video(tmp_path / "a.avi")


def test_limits_on_pixels_and_seconds_hold(clip: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"128 x 96 = 12,288 pixels"):
        probe_video(clip, DecodeLimits(max_pixels=12_000))
    with pytest.raises(LimitExceeded, match="lasts 2 s"):
        probe_video(clip, DecodeLimits(max_seconds=1.0))


def test_a_picture_is_not_a_video(photo_png: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="a picture"):
        probe_video(photo_png)


@pytest.mark.data
def test_the_16_camera_clips_are_covered_without_an_error(shared_data: Path) -> None:
    clips = sorted((shared_data / "videos").glob("*.mp4"))

    for path in clips:
        frames, coverage = _read(path, Sampling("keyframes", 2.0))
        assert coverage.decoded == coverage.expected == len(frames) > 0, path
        assert coverage.errors == 0, path
    assert len(clips) == 16


def test_odd_sides_are_written_even_and_h264_keeps_the_size(make_photo: object, tmp_path: Path) -> None:
    odd = _photo_of(make_photo, 51, 67)
    write_video(tmp_path / "odd.mp4", [odd], 25)

    assert probe_video(tmp_path / "odd.mp4").width == 68
    fine, coarse = h264_roundtrip(odd, 10), h264_roundtrip(odd, 40)
    assert fine.shape == coarse.shape == odd.shape
    errors = [np.abs(passed.astype(int) - odd).mean() for passed in (fine, coarse)]
    assert errors[0] < 4 < errors[1]


@pytest.mark.parametrize("codec", sorted(CODECS))
@pytest.mark.parametrize("size", [(8, 8), (51, 67)])
def test_a_picture_keeps_its_size_through_every_codec_and_loses_more_at_a_worse_rate(
    make_photo: object, codec: str, size: tuple[int, int]
) -> None:
    photo = _photo_of(make_photo, *size)

    fine, coarse = (roundtrip([photo], crf, codec)[0] for crf in (8, 50))

    assert fine.shape == coarse.shape == photo.shape
    errors = [np.abs(passed.astype(int) - photo).mean() for passed in (fine, coarse)]
    assert errors[0] < 8  # grey levels; 4:2:0 alone costs most of them on a picture with so much colour
    assert errors[0] < errors[1]


def test_a_codec_that_this_ffmpeg_lacks_is_named(make_photo: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODECS, "h265", Codec("libx999", "hevc"))
    can_encode.cache_clear()
    try:
        with pytest.raises(OutputError, match="libx999"):
            roundtrip([_photo_of(make_photo, 32, 32)], 30, "h265")
    finally:
        can_encode.cache_clear()


def test_a_video_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No frames"):
        write_video(tmp_path / "a.mp4", [], 25)
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "no" / "folder.mp4", _steps(1), 25)


def _written(path: Path, frames: Sequence[Pixels], fps: float) -> Path:
    write_video(path, frames, fps)
    return path


def _photo_of(make_photo: object, height: int, width: int) -> Pixels:
    assert callable(make_photo)
    pixels: Pixels = make_photo(height, width, 4)
    return pixels
