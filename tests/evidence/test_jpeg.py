"""A JPEG's history is read to the last coefficient and can be written again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evidence.image import decode_image
from evidence.jpeg import (
    SAMPLINGS,
    ZIGZAG,
    encode_jpeg,
    encode_like,
    estimate_quality,
    mozjpeg_table,
    read_history,
    without_metadata,
)
from evidence.medium import Pixels


def test_the_zigzag_opens_as_in_the_standard() -> None:
    # T.81, figure A.6: coefficients 0..9 of the scan by their place in the row-major block.
    assert ZIGZAG[:10] == (0, 1, 8, 16, 9, 2, 3, 10, 17, 24)
    assert sorted(ZIGZAG) == list(range(64))
    assert ZIGZAG[-1] == 63


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [1, 49, 50, 75, 100])
def test_quality_sampling_and_tables_are_read_back(photo: Pixels, sampling: str, quality: int) -> None:
    data = encode_jpeg(photo, quality, sampling)

    history = read_history(data)

    assert history is not None
    assert (history.quality, history.sampling, history.progressive) == (quality, sampling, False)
    with Image.open(io.BytesIO(data)) as image:
        # Pillow's own reading of the tables, which it keeps in natural order.
        assert [tuple(table) for table in image.quantization.values()] == list(history.tables)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("tables", [1, 2, 3])
def test_encoding_like_another_jpeg_keeps_its_whole_history(
    photo: Pixels, sampling: str, progressive: bool, tables: int
) -> None:
    # Tables in which every coefficient differs show any wrong order.
    wild = [np.random.default_rng(number).permutation(64) + 1 + 50 * number for number in range(tables)]
    image = Image.fromarray(photo).convert("L" if sampling == "grey" else "RGB")
    options = {} if sampling == "grey" else {"subsampling": sampling}
    file = io.BytesIO()
    image.save(file, "JPEG", qtables=[table.tolist() for table in wild], progressive=progressive, **options)
    history = read_history(file.getvalue())
    assert history is not None
    assert history.tables == tuple(tuple(table.tolist()) for table in wild[: 1 if sampling == "grey" else 3])

    again = read_history(encode_like(decode_image(file.getvalue())[1], history))

    assert again == history


def test_chroma_that_the_presets_cannot_say_is_other(photo: Pixels) -> None:
    # 4:1:1 by hand: the luma factors in the frame header, 2x2, become 4x1.
    data = encode_jpeg(photo, 80)
    frame = data.index(b"\xff\xc0") + 11
    assert data[frame] == 0x22

    history = read_history(data[:frame] + b"\x41" + data[frame + 1 :])

    assert history is not None
    assert history.sampling == "other"
    rewritten = read_history(encode_like(photo, history))
    assert rewritten is not None
    assert rewritten.tables == history.tables
    assert rewritten.sampling == "4:2:0"


def test_foreign_tables_get_the_nearest_quality() -> None:
    with_noise = tuple(max(1, value + (-1) ** at) for at, value in enumerate([16] * 64))

    assert 1 <= estimate_quality((with_noise,)) <= 100
    assert estimate_quality(((1,) * 64, (1,) * 64)) == 100
    assert estimate_quality(((255,) * 64,)) == 1


def test_mozjpegs_table_is_one_for_all_colours_and_scales_as_libjpegs() -> None:
    assert mozjpeg_table(50)[:8] == (16, 16, 16, 18, 25, 37, 56, 85)
    assert mozjpeg_table(50)[-1] == 255  # 418, held to 8 bits
    assert mozjpeg_table(75)[:4] == (8, 8, 8, 9)
    assert mozjpeg_table(25)[:4] == (32, 32, 32, 36)
    assert set(mozjpeg_table(100)) == {1}


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 20, 100, 160])
def test_headers_that_break_off_have_no_history(photo: Pixels, cut: int) -> None:
    assert read_history(encode_jpeg(photo, 80)[:cut]) is None


def test_a_png_has_no_jpeg_history() -> None:
    assert read_history(b"\x89PNG\r\n\x1a\n" + bytes(200)) is None


def test_what_a_jpeg_says_of_itself_can_be_left_out_without_touching_a_pixel() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0131] = "An editor"
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", exif=exif, comment=b"a comment", quality=80)

    bare = without_metadata(written.getvalue())

    with Image.open(io.BytesIO(bare)) as picture, Image.open(written) as before:
        assert "exif" not in picture.info
        assert "comment" not in picture.info
        assert np.array_equal(np.asarray(picture), np.asarray(before))
    assert without_metadata(bare) == bare
    assert without_metadata(b"no JPEG") == b"no JPEG"
