"""Every colour mode and profile ends as sRGB on white."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from evidence.errors import UnsupportedMedia
from evidence.image import decode_image
from evidence.medium import Pixels


def _decode(image: Image.Image, kind: str = "PNG", **options: object) -> Pixels:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return decode_image(file.getvalue())[1]


def _profile(red: tuple[float, float], gamma: float) -> bytes:
    """An ICC v2 matrix profile with sRGB's green, blue and white, its own red corner and gamma."""
    corners = np.array([[*red], [0.3, 0.6], [0.15, 0.06]])
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in corners]).T
    # D50, the white of the profile connection space; the adaptation is left out on purpose.
    matrix = columns * np.linalg.solve(columns, [0.9642, 1.0, 0.8249])

    def fixed(value: float) -> bytes:
        return round(value * 65536).to_bytes(4, "big", signed=True)

    xyz = [b"XYZ \0\0\0\0" + b"".join(map(fixed, column)) for column in (*matrix.T, (0.9642, 1.0, 0.8249))]
    curve = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    text = b"desc\0\0\0\0" + (5).to_bytes(4, "big") + b"test\0" + bytes(78) + b"\0"
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"rTRC", b"gTRC", b"bTRC", b"desc", b"cprt")
    bodies = [*xyz, curve, curve, curve, text, b"text\0\0\0\0free\0\0\0\0"]
    table, blob = len(names).to_bytes(4, "big"), b""
    for name, body in zip(names, bodies, strict=True):
        padded = body + bytes(-len(body) % 4)
        offset = 128 + 4 + 12 * len(names) + len(blob)
        table += name + offset.to_bytes(4, "big") + len(body).to_bytes(4, "big")
        blob += padded
    header = bytearray(128)
    header[0:4] = (128 + len(table) + len(blob)).to_bytes(4, "big")
    header[8:12], header[12:24], header[36:40] = b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp"
    header[68:80] = b"".join(map(fixed, (0.9642, 1.0, 0.8249)))
    return bytes(header) + table + blob


def test_half_transparent_red_lies_on_white() -> None:
    pixels = _decode(Image.new("RGBA", (8, 8), (255, 0, 0, 128)))

    # 255 * 127 / 255 of the white shines through.
    assert pixels[0, 0].tolist() == [255, 127, 127]


def test_grey_with_alpha_and_a_palette_with_transparency_lie_on_white() -> None:
    assert _decode(Image.new("LA", (4, 4), (0, 0)))[0, 0].tolist() == [255, 255, 255]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])

    assert _decode(palette)[0, 0].tolist() == [40, 50, 60]
    assert _decode(palette, transparency=1)[0, 0].tolist() == [255, 255, 255]


def test_bilevel_and_grey_fill_three_channels() -> None:
    assert _decode(Image.new("1", (4, 4), 1)).tolist() == np.full((4, 4, 3), 255).tolist()
    assert _decode(Image.new("L", (4, 4), 77)).tolist() == np.full((4, 4, 3), 77).tolist()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_rounded_to_eight(kind: str) -> None:
    levels = np.array([[0, 128, 129, 257 * 100, 257 * 100 + 128, 257 * 100 + 129, 65535]], dtype=np.uint16)

    pixels = _decode(Image.fromarray(levels), kind)

    assert pixels[0, :, 0].tolist() == [0, 0, 1, 100, 100, 101, 255]


def test_floating_point_pixels_have_no_white_and_are_refused() -> None:
    with pytest.raises(UnsupportedMedia, match="floating point"):
        _decode(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF")


def test_cmyk_without_a_profile_is_what_the_inks_say() -> None:
    pixels = _decode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF")

    assert pixels[0, 0].tolist() == [0, 255, 255]


def test_lab_white_and_black_are_white_and_black() -> None:
    white, black = (
        _decode(Image.new("LAB", (4, 4), (level, 128, 128)), "TIFF")[0, 0].tolist() for level in (255, 0)
    )

    # a = b = 128 is off neutral by half a level of the 8-bit encoding.
    assert np.abs(np.array(white) - 255).max() <= 2
    assert np.abs(np.array(black)).max() <= 2


def test_a_wide_profile_moves_colours_as_littlecms_says(photo: Pixels) -> None:
    profile = _profile(red=(0.68, 0.32), gamma=1.8)
    image = Image.fromarray(photo)
    expected = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    )
    assert expected is not None

    pixels = _decode(image, icc_profile=profile)

    assert np.array_equal(pixels, np.asarray(expected))
    assert np.abs(pixels.astype(int) - photo).mean() > 5


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_an_srgb_profile_changes_nothing(photo: Pixels, kind: str) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert np.array_equal(
        _decode(Image.fromarray(photo), kind, icc_profile=srgb), _decode(Image.fromarray(photo), kind)
    )


def test_a_broken_or_foreign_profile_is_left_aside(photo: Pixels) -> None:
    foreign = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    for profile in (b"not a profile", foreign, _profile((0.64, 0.33), 2.2)[:200]):
        assert np.array_equal(_decode(Image.fromarray(photo), icc_profile=profile), photo)
