"""What the suite makes says so in its files, and its pixels stay as they were."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.media import photo_like
from evidence.errors import SigningError
from evidence.jpeg import encode_jpeg
from evidence.limits import DecodeLimits
from evidence.sandbox import DecoderPool
from evidence.video_writer import write_gif, write_video
from provenance.c2pa import CredentialReader
from provenance.credentials import declared_source
from provenance.formats import media_type
from provenance.marking import Origin, mark
from provenance.metadata.claims import read_claims
from tests.credentials import Authority, key_of

PICTURE = photo_like(64, 48, 1)


def content_of(suffix: str, folder: Path) -> bytes:
    """A small file of this kind."""
    if suffix == ".jpg":
        return encode_jpeg(PICTURE, 90)
    if suffix == ".png":
        kept = BytesIO()
        Image.fromarray(PICTURE).save(kept, "PNG")
        return kept.getvalue()
    path, frames = folder / f"a{suffix}", (np.roll(PICTURE, 8 * n, 1) for n in range(4))
    write_gif(path, frames, 10) if suffix == ".gif" else write_video(path, frames, 10)
    return path.read_bytes()


def pixels_of(content: bytes, path: Path) -> list[np.ndarray]:
    path.write_bytes(content)
    with DecoderPool(DecodeLimits(), workers=1, inline=True) as pool:
        return [frame.pixels for frame in pool.open(path).frames()]


def test_our_own_mark_is_read_as_ours_whatever_the_model_is_named_after(tmp_path: Path) -> None:
    origin = Origin("Touchstone stylegan2-faces 0.2.1", "a.png")

    marked = BytesIO(mark(content_of(".png", tmp_path), ".png", origin, key_of(Authority().issue())))

    found = {claim.generator for claim in read_claims(marked, media_type(marked))}
    assert found - {None, ""} == {"Touchstone"}


@pytest.mark.parametrize("changed", [False, True], ids=["generated", "altered"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".mp4"])
def test_a_marked_file_says_what_made_it_twice_and_shows_the_same(
    suffix: str, changed: bool, tmp_path: Path
) -> None:
    content = content_of(suffix, tmp_path)
    parent = tmp_path / "before.png"
    parent.write_bytes(content_of(".png", tmp_path))
    origin = Origin('Touchstone <x> & "y" 1', f"a{suffix}", parent if changed else None)

    marked = mark(content, suffix, origin, key_of(Authority().issue()))

    source = "compositeWithTrainedAlgorithmicMedia" if changed else "trainedAlgorithmicMedia"
    file = BytesIO(marked)
    credentials = CredentialReader().read(file, media_type(file))
    assert (credentials.stands, declared_source(credentials)) == (True, source)
    assert credentials.manifest is not None
    assert [one.title for one in credentials.manifest.ingredients] == (["before.png"] if changed else [])
    (claim,) = [one for one in read_claims(file, media_type(file)) if "DigitalSourceType" in one.field]
    assert claim.value.endswith(source)
    before, after = pixels_of(content, tmp_path / f"b{suffix}"), pixels_of(marked, tmp_path / f"c{suffix}")
    assert len(before) == len(after)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_parent_that_holds_no_credentials_is_left_out_and_still_makes_a_composite(tmp_path: Path) -> None:
    parent = tmp_path / "before.bmp"
    Image.fromarray(PICTURE).save(parent)

    marked = mark(
        content_of(".jpg", tmp_path), ".jpg", Origin("T", "a.jpg", parent), key_of(Authority().issue())
    )

    credentials = CredentialReader().read(BytesIO(marked), "image/jpeg")
    assert declared_source(credentials) == "compositeWithTrainedAlgorithmicMedia"


def test_a_key_that_does_not_sign_is_an_error_and_not_an_unmarked_file(tmp_path: Path) -> None:
    expired = key_of(Authority().issue(days=(-9, -5)))

    with pytest.raises(SigningError):
        mark(content_of(".png", tmp_path), ".png", Origin("T", "a.png"), expired)
