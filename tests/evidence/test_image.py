"""Still pictures come out upright, in sRGB, on white; what is damaged is refused, never guessed."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence.errors import DamagedMedia, EmptyMedia, LimitExceeded, MediaError, UnsupportedMedia
from evidence.image import decode_image
from evidence.jpeg import encode_jpeg
from evidence.limits import DecodeLimits
from evidence.medium import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "GIF", "BMP")


def _write(picture: Image.Image | Pixels, kind: str, **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose data holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_give_the_pixels_back_to_the_bit(photo: Pixels, kind: str) -> None:
    data = _write(photo, kind)

    info, pixels = decode_image(data)

    assert np.array_equal(pixels, photo)
    assert (info.kind, info.width, info.height) == ("image", 256, 192)
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert info.size_bytes == len(data)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "HEIF"])
def test_lossy_formats_give_nearly_the_same_picture(photo: Pixels, kind: str) -> None:
    _, pixels = decode_image(_write(photo, kind, quality=95))

    # Quality 95 with halved chroma moves this picture by 2 to 4 levels on average.
    assert np.abs(pixels.astype(int) - photo).mean() < 6


def test_a_file_says_its_path_and_a_jpeg_its_history(photo_jpeg: Path) -> None:
    info, _ = decode_image(photo_jpeg)

    assert info.path == str(photo_jpeg)
    assert info.jpeg is not None
    assert (info.jpeg.quality, info.jpeg.sampling) == (90, "4:2:0")


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:2", "4:2:0", "4:1:1"])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_fast_road_for_jpeg_agrees_with_pillow_to_the_last_bit(
    make_photo: object, sampling: str, progressive: bool
) -> None:
    for height, width in ((61, 83), (1, 1), (64, 128), (7, 250)):
        noise = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
        data = _write(noise, "JPEG", quality=85, subsampling=sampling, progressive=progressive)
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(decode_image(data)[1], np.asarray(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_exif_orientation_comes_out_upright(orientation: int, kind: str) -> None:
    # Given an upright picture with four distinct corners, stored turned as the camera would.
    upright = np.zeros((32, 48, 3), dtype=np.uint8)
    upright[:16, :24], upright[:16, 24:], upright[16:, :24] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {
        "JPEG": {"quality": 95, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True},
    }.get(kind, {})

    info, pixels = decode_image(_write(np.ascontiguousarray(undo(upright)), kind, exif=exif, **options))

    assert (info.height, info.width) == (32, 48)
    # JPEG at quality 95 leaves flat areas within 3 levels.
    assert np.abs(pixels[4:28:4, 4:44:4].astype(int) - upright[4:28:4, 4:44:4]).max() <= 3
    if kind != "TIFF":  # whose reader turns the picture itself and forgets by how much
        assert info.rotation == {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_file_cut_at_any_quarter_is_damaged_not_grey(photo: Pixels, kind: str, quarter: int) -> None:
    data = _write(photo, kind)

    with pytest.raises(DamagedMedia, match="cannot be decoded"):
        decode_image(data[: len(data) * quarter // 4])


def test_a_jpeg_cut_short_but_ended_properly_is_damaged_not_grey(photo: Pixels) -> None:
    data = encode_jpeg(photo, 90)

    with pytest.raises(DamagedMedia, match="ends early"):
        decode_image(data[: len(data) // 2] + b"\xff\xd9")


def test_a_picture_that_is_mid_grey_all_over_is_not_called_damaged() -> None:
    for kind in ("RGB", "L"):
        grey = Image.new(kind, (64, 48), (128, 128, 128) if kind == "RGB" else 128)

        _, pixels = decode_image(_write(grey, "JPEG"))

        assert (pixels == 128).all()


def test_a_whole_jpeg_that_ends_in_grey_is_read_without_a_word(
    photo: Pixels, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = photo.copy()
    photo[-16:, -16:] = 128

    decode_image(encode_jpeg(photo, 90))

    assert capfd.readouterr() == ("", "")


def test_a_picture_of_900_megapixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(
        LimitExceeded, match=r"30,000 x 30,000 = 900,000,000 pixels; the limit is 100,000,000"
    ):
        decode_image(_png_of(30_000, 30_000))


def test_the_pixel_limit_is_the_callers() -> None:
    data = _write(np.zeros((10, 11, 3), np.uint8), "PNG")

    decode_image(data, DecodeLimits(max_pixels=110))
    with pytest.raises(LimitExceeded):
        decode_image(data, DecodeLimits(max_pixels=109))


@pytest.mark.parametrize("kind", FORMATS)
def test_one_pixel_is_a_picture(kind: str) -> None:
    _, pixels = decode_image(_write(np.full((1, 1, 3), 255, np.uint8), kind))

    assert pixels.shape == (1, 1, 3)


@pytest.mark.parametrize(
    "prefix", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00", b"RIFF"]
)
def test_random_bytes_behind_a_good_prefix_are_damaged(prefix: bytes) -> None:
    rest = np.random.default_rng(3).bytes(5000)
    data = prefix + (rest[:4] + b"WEBP" if prefix == b"RIFF" else b"") + rest

    with pytest.raises(DamagedMedia):
        decode_image(data)


def test_the_name_decides_nothing(photo: Pixels, tmp_path: Path) -> None:
    lying = tmp_path / "photo.jpg"
    lying.write_bytes(_write(photo, "PNG"))

    info, pixels = decode_image(lying)

    assert info.mime == "image/png"
    assert np.array_equal(pixels, photo)


def test_empty_bytes_text_and_video_are_refused_by_kind(clip: Path) -> None:
    with pytest.raises(EmptyMedia):
        decode_image(b"")
    with pytest.raises(UnsupportedMedia, match="a text file"):
        decode_image(b"hello")
    with pytest.raises(UnsupportedMedia, match="video"):
        decode_image(clip)


def test_flipped_bytes_never_raise_anything_but_media_errors(photo: Pixels) -> None:
    rng = np.random.default_rng(7)
    for kind in FORMATS:
        data = _write(photo[:48, :64], kind)
        for _ in range(25):
            hurt = np.frombuffer(data, np.uint8).copy()
            places = rng.integers(0, len(hurt), 8)
            hurt[places] ^= rng.integers(1, 256, 8, dtype=np.uint8)
            try:
                _, pixels = decode_image(hurt.tobytes())
            except MediaError:
                continue
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
