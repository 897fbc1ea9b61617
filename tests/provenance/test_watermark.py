"""A mark is found after what pictures go through, is seen nowhere else, and says what it was told to say."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.media import pan, photo_like
from benchmarks.watermark import crop, jpeg, resize
from evidence.errors import TooSmall
from evidence.medium import Pixels
from evidence.video_writer import h264_roundtrip
from provenance.watermark.carriers import CELLS, HIGHEST, band, carriers, tile
from provenance.watermark.code import CODED_BITS, GENERATORS, MEMORY, decode, encode
from provenance.watermark.detect import FALSE_POSITIVES, Mark, detect, detect_frames
from provenance.watermark.embed import SMALLEST_SIDE, embed, period_of
from provenance.watermark.keys import WatermarkError, fingerprint, key_at, read_key
from provenance.watermark.rings import ring
from provenance.watermark.spectra import Views
from provenance.watermark.transform import Transform
from testsets.likeness import psnr_db, ssim

KEY, OTHER = b"a key" * 6, b"another key" * 3
PAYLOAD = bytes.fromhex("0011223344556677")


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return photo_like(300, 401, 7)


@pytest.fixture(scope="module")
def marked(photo: Pixels) -> Pixels:
    return embed(photo, KEY, PAYLOAD)


def test_a_mark_is_found_and_read_and_its_p_value_is_far_below_the_threshold(marked: Pixels) -> None:
    mark = detect(marked, KEY)

    assert mark.present
    assert mark.p_value < 1e-20 < FALSE_POSITIVES
    assert mark.payload == PAYLOAD
    assert mark.agreement is not None
    assert mark.agreement > 0.8
    assert mark.period == pytest.approx(period_of(300, 401), rel=0.02)
    assert mark.to_dict()["payload"] == "0011223344556677"


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        (lambda x: jpeg(75)(x, np.random.default_rng(0)), ""),
        (lambda x: resize(0.5)(x, np.random.default_rng(0)), ""),
        (lambda x: resize(0.73)(x, np.random.default_rng(0)), ""),
        (lambda x: resize(1.3)(x, np.random.default_rng(0)), ""),
        (lambda x: crop(0.25)(x, np.random.default_rng(0)), ""),
        (lambda x: h264_roundtrip(x, 28), ""),
        (lambda x: cv2.convertScaleAbs(x, alpha=0.8, beta=12), ""),
        (lambda x: x[:, ::-1], "mirrored"),
        (lambda x: x[::-1], "mirrored and upside down"),
        (lambda x: x[::-1, ::-1], "upside down"),
        (lambda x: x.transpose(1, 0, 2), "transposed"),
        (lambda x: np.rot90(x), "turned left"),
        (lambda x: np.rot90(x, -1), "turned right"),
    ],
    ids=[
        "jpeg",
        "half",
        "three quarters",
        "larger",
        "crop",
        "h264",
        "dim",
        "mirror",
        "flip",
        "180",
        "transpose",
        "left",
        "right",
    ],
)
def test_a_mark_outlives(change: Callable[[Pixels], Pixels], turned: str, marked: Pixels) -> None:
    mark = detect(np.ascontiguousarray(change(marked)), KEY)

    assert mark.present
    assert mark.payload == PAYLOAD
    assert mark.turned == turned


def test_nothing_is_seen_with_another_key_or_where_nothing_was_put(photo: Pixels, marked: Pixels) -> None:
    assert detect(marked, OTHER) == Mark(False, 1.0)
    assert detect(photo, KEY) == Mark(False, 1.0)


def test_p_values_of_keys_that_marked_nothing_are_no_smaller_than_they_say() -> None:
    # At one place the bound exp(-x²/Σ|G|²) holds for every picture, so for these three and 100 keys each.
    p_values, three = [], np.array([3.0])
    for seed, kind in enumerate(
        (photo_like(200, 300, 1), _stripes(200, 300), jpeg(30)(photo_like(256, 256, 2), _RNG))
    ):
        waves = Views([kind]).waves(three, three, ring(HIGHEST))[0].astype(complex)
        for number in range(100):
            known = carriers(b"%d %d" % (seed, number))
            aligned = waves[known.pilot] * np.exp(-1j * known.phases[known.pilot])
            energy = float((np.abs(aligned) ** 2).sum())
            assert energy > 0
            p_values.append(math.exp(-(max(0.0, float(aligned.real.sum())) ** 2) / energy))
    for alpha in (0.5, 0.1, 0.02):
        assert np.mean(np.array(p_values) <= alpha) <= alpha


def test_a_mark_is_not_seen_by_eye(photo: Pixels, marked: Pixels) -> None:
    assert psnr_db(photo, marked) >= 40
    assert ssim(photo, marked) > 0.95
    # Where the picture is flat the mark is weaker than where it is busy.
    half = np.concatenate([np.full((256, 128, 3), 128, np.uint8), photo_like(256, 128, 3)], axis=1)
    change = np.abs(embed(half, KEY, PAYLOAD).astype(int) - half)
    assert change[:, :100].mean() < change[:, 156:].mean()


def test_a_transform_is_known_between_its_points_too() -> None:
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((90, 131)).astype(np.float32)
    down, across = rng.uniform(-30, 30, (1, 200)), rng.uniform(0.3, 30, (1, 200))

    found = Transform(plane).at(down.astype(np.float32), across.astype(np.float32))[0]

    rows, columns = np.arange(90) - 45, np.arange(131) - 65  # from the middle
    wanted = [
        np.exp(-2j * np.pi * n / 90 * rows) @ plane @ np.exp(-2j * np.pi * m / 131 * columns)
        for n, m in zip(down[0], across[0], strict=True)
    ]
    # Noise is as strong at the edges as in the middle: worse than any picture, and yet 1/13 at the root mean.
    assert np.linalg.norm(found - wanted) < np.linalg.norm(wanted) / 13


def test_large_pictures_are_halved_and_their_tiles_told_in_pixels_of_the_whole() -> None:
    photo = photo_like(901, 1203, 4)

    mark = detect(jpeg(75)(embed(photo, KEY, PAYLOAD), _RNG), KEY)

    assert mark.payload == PAYLOAD
    assert mark.period == pytest.approx(period_of(901, 1203), rel=0.02)


def test_marking_again_gives_the_same_bytes(photo: Pixels, marked: Pixels) -> None:
    carriers.cache_clear()

    assert np.array_equal(embed(photo, KEY, PAYLOAD), marked)


@pytest.mark.parametrize("shape", [(128, 128), (97, 131), (301, 99), (96, 4000)])
def test_odd_and_long_pictures_carry_it_too(shape: tuple[int, int]) -> None:
    photo = photo_like(*shape, 5)

    marked = embed(photo, KEY, PAYLOAD)

    assert marked.shape == photo.shape
    assert marked.dtype == np.uint8
    assert detect(marked, KEY).present


def test_grey_and_transparent_pictures_keep_what_they_are(photo: Pixels) -> None:
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.uint8)
    alpha = np.random.default_rng(0).integers(0, 256, (*grey.shape, 1), np.uint8)
    transparent = np.concatenate([photo, alpha], axis=2)

    marked_grey, marked_transparent = embed(grey, KEY, PAYLOAD), embed(transparent, KEY, PAYLOAD)

    assert marked_grey.shape == grey.shape
    assert detect(marked_grey, KEY).payload == PAYLOAD
    assert np.array_equal(marked_transparent[..., 3:], alpha)
    assert detect(marked_transparent, KEY).payload == PAYLOAD


def test_a_picture_that_is_too_small_is_told_so() -> None:
    with pytest.raises(TooSmall, match=r"The picture has 200 x 95 pixels; a watermark needs 96 on each side"):
        embed(photo_like(SMALLEST_SIDE - 1, 200, 1), KEY, PAYLOAD)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((1, 40_000, 3), 255, np.uint8),
        np.full((300, 300, 3), 255, np.uint8),
        np.indices((200, 200)).sum(0).astype(np.uint8) % 2 * np.uint8(255),
        np.random.default_rng(0).integers(0, 256, (90, 700, 3), np.uint8),
    ],
    ids=["one pixel", "a line", "white", "chess", "noise"],
)
def test_strange_pictures_show_no_mark_and_break_nothing(pixels: Pixels) -> None:
    assert not detect(pixels, KEY).present


def test_a_periodic_picture_shows_no_mark_although_its_tiles_all_agree() -> None:
    # The worst of pictures for a mark of tiles: another key's tile itself, as loud as it can be.
    loud = np.clip(128 + 40 * np.tile(tile(OTHER, encode(PAYLOAD), 2 * CELLS), (3, 4)), 0, 255).astype(
        np.uint8
    )

    assert not detect(loud, KEY).present
    assert detect(loud, OTHER).payload == PAYLOAD


def test_frames_together_show_what_one_alone_is_too_faint_for() -> None:
    frames = [h264_roundtrip(embed(frame, KEY, PAYLOAD), 34) for frame in pan(144, 176, 4, seed=3)]

    alone, together = detect(frames[0], KEY), detect_frames(frames, KEY)

    assert together.present
    assert together.p_value < alone.p_value


def test_the_code_answers_a_single_bit_with_its_generators() -> None:
    coded = encode(b"\x80" + bytes(7)).reshape(-1, len(GENERATORS))

    said = [
        [1 - 2 * (generator >> MEMORY - step & 1) for generator in GENERATORS] for step in range(MEMORY + 1)
    ]

    assert coded[: MEMORY + 1].tolist() == said


def test_a_payload_is_read_through_many_wrong_bits_and_never_read_wrongly() -> None:
    rng = np.random.default_rng(4)
    coded = encode(PAYLOAD).astype(float)
    flipped = coded * np.where(rng.random(CODED_BITS) < 0.12, -1, 1)

    assert decode(coded) == PAYLOAD
    assert decode(flipped) == PAYLOAD
    assert decode(rng.standard_normal(CODED_BITS)) is None
    assert decode(np.zeros(CODED_BITS)) is None


def test_a_tile_is_made_of_the_waves_of_its_key_alone() -> None:
    pattern = tile(KEY, encode(PAYLOAD), 2 * CELLS)

    spectrum = np.abs(np.fft.rfft2(pattern))
    down, across = band()
    inside = spectrum[down % (2 * CELLS), across]
    assert float((inside**2).sum()) == pytest.approx(float((spectrum**2).sum()), rel=1e-5)
    assert inside == pytest.approx(inside.mean(), rel=1e-3)
    assert float(pattern.std()) == pytest.approx(1)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"

    key = key_at(path)

    assert key_at(path) == read_key(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fingerprint(key) != fingerprint(key_at(tmp_path / "other"))
    assert [one.name for one in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff" * 999, b"touchstone-watermark-key-1 beef", b"a b"])
def test_a_file_that_holds_no_key_is_told_from_one_that_does(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)

    with pytest.raises(WatermarkError, match="holds no watermark key"):
        key_at(path)
    with pytest.raises(WatermarkError, match="cannot be read: No such file"):
        read_key(tmp_path / "missing")
    with pytest.raises(WatermarkError, match="cannot be made"):
        key_at(path / "below a file")


_RNG = np.random.default_rng(0)


def _stripes(height: int, width: int) -> Pixels:
    rows = np.sin(np.arange(height) / 3)[:, None] * 100 + 128
    return np.repeat(np.repeat(rows, width, axis=1)[..., None], 3, axis=2).astype(np.uint8)
