"""Animations give their frames by stated durations, however many there are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evidence.animation import frames_of_animation
from evidence.decode import decode
from evidence.errors import DamagedMedia
from evidence.image import decode_image
from evidence.limits import DecodeLimits
from evidence.medium import Coverage, Frame, Sampling

LIMITS = DecodeLimits()


def _animate(kind: str, count: int, milliseconds: int | list[int] = 100, side: int = 24) -> bytes:
    """Flat frames, each eight levels brighter than the one before (starting again at 31)."""
    frames = [Image.new("RGB", (side, side), (8 * (number % 31),) * 3) for number in range(count)]
    file = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=milliseconds, **options)
    return file.getvalue()


def _read(data: bytes, kind: str, sampling: Sampling) -> tuple[list[Frame], Coverage]:
    coverage = Coverage()
    return list(frames_of_animation(data, f"image/{kind.lower()}", sampling, LIMITS, coverage)), coverage


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_frames_come_at_their_stated_times(kind: str) -> None:
    data = _animate(kind, 12)

    info, first = decode_image(data)
    frames, coverage = _read(data, kind, Sampling("all"))
    sampled, _ = _read(data, kind, Sampling("every", 0.5))

    assert (info.kind, info.frames) == ("animation", 12)
    assert (first < 4).all()
    assert [frame.time_seconds for frame in frames] == pytest.approx(np.arange(12) / 10)
    # AVIF is lossy: flat colour stays within half a step of eight levels.
    assert [round(float(frame.pixels.mean()) / 8) for frame in frames] == list(range(12))
    assert [frame.index for frame in sampled] == [0, 5, 10]
    assert (coverage.decoded, coverage.expected, coverage.errors) == (12, 12, 0)


def test_uneven_durations_and_none_at_all_are_kept_as_browsers_do() -> None:
    uneven, _ = _read(_animate("GIF", 4, [100, 500, 20, 300]), "GIF", Sampling("all"))
    unstated, _ = _read(_animate("GIF", 3, 0), "GIF", Sampling("all"))

    assert [frame.time_seconds for frame in uneven] == pytest.approx([0, 0.1, 0.6, 0.62])
    assert [frame.time_seconds for frame in unstated] == pytest.approx([0, 0.1, 0.2])


def test_a_gif_of_5000_frames_is_sampled_not_refused() -> None:
    data = _animate("GIF", 5000, 20, side=8)

    info, _ = decode_image(data)
    every, coverage = _read(data, "GIF", Sampling("every", 0.5))
    thinned, _ = _read(data, "GIF", Sampling("all", max_frames=50))

    assert info.frames == 5000
    # 5000 frames of 20 ms are 100 s, two samples each.
    assert len(every) == coverage.expected == 200
    assert len(thinned) == 50
    assert thinned[-1].index == 4999


def test_transparent_frames_lie_on_white() -> None:
    frames = [Image.new("RGBA", (8, 8), (0, 0, 0, 0)), Image.new("RGBA", (8, 8), (255, 0, 0, 255))]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)

    shown, _ = _read(file.getvalue(), "WEBP", Sampling("all"))

    assert [frame.pixels[0, 0].tolist() for frame in shown] == [[255, 255, 255], [255, 0, 0]]


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_an_animation_that_breaks_off_gives_what_is_there_and_says_so(kind: str, quarter: int) -> None:
    data = _animate(kind, 20)

    frames, coverage = _read(data[: len(data) * quarter // 4], kind, Sampling("all"))

    assert 0 < len(frames) < 20
    assert coverage.errors >= 1


def test_a_gif_cut_at_any_byte_is_damaged_or_says_so() -> None:
    rng = np.random.default_rng(0)  # noise, so that the end mark's byte lies among the pixels' too
    frames = [Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)) for _ in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    data = file.getvalue()
    read, damaged = set(), 0

    for length in range(13, len(data)):
        try:
            with decode(io.BytesIO(data[:length]), "cut.gif", Sampling("all"), LIMITS) as medium:
                read.add(len(list(medium.frames())))
                assert medium.coverage.errors >= 1, length
        except DamagedMedia:
            damaged += 1

    assert read == {1, 2, 3}
    assert damaged > 100
    assert data.count(b";") > 1


def test_what_lies_behind_the_end_of_a_gif_does_not_matter() -> None:
    frames, coverage = _read(_animate("GIF", 3) + bytes(100), "GIF", Sampling("all"))

    assert (len(frames), coverage.errors) == (3, 0)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_formats_that_state_their_length_are_damaged_when_cut(kind: str, quarter: int) -> None:
    data = _animate(kind, 20)

    with pytest.raises(DamagedMedia):
        decode_image(data[: len(data) * quarter // 4])
