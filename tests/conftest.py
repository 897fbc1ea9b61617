"""Fixtures every room shares: tiny media made by code with fixed seeds, and the shared data folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from evidence.medium import Pixels

ROOT = Path(__file__).resolve().parents[1]

MakePhoto = Callable[..., Pixels]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The shared data folder: `TOUCHSTONE_DATA`, else ../shared/data beside the repository."""
    folder = Path(os.environ.get("TOUCHSTONE_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set TOUCHSTONE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def make_photo() -> MakePhoto:
    """`make_photo(height, width, seed)`: a picture with a photograph's spectrum, edges and shading."""
    return _photo


@pytest.fixture(scope="session")
def photo() -> Pixels:
    """One photo-like picture, RGB uint8 (192, 256, 3)."""
    return _photo(192, 256, 1)


@pytest.fixture(scope="session")
def photo_jpeg(photo: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photo` as a JPEG of quality 90 with 4:2:0 chroma."""
    path = tmp_path_factory.mktemp("media") / "photo.jpg"
    Image.fromarray(photo).save(path, quality=90, subsampling="4:2:0")
    return path


@pytest.fixture(scope="session")
def photo_png(photo: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photo` as a PNG, to the bit."""
    path = tmp_path_factory.mktemp("media") / "photo.png"
    Image.fromarray(photo).save(path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of H.264 in MP4, 128 x 96 at 25 frames a second, a key frame every second.

    A window slides over a still scene, two pixels a frame, so every frame is known.
    """
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    scene = _photo(96, 256, 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "20", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 96, "yuv420p", 25
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(scene[:, 2 * index : 2 * index + 128]), format="rgb24"
            )
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _photo(height: int, width: int, seed: int) -> Pixels:
    """RGB uint8 (height, width, 3): 1/f noise shared by the channels, a light gradient, shaded discs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    spectrum = np.fft.fft2(rng.standard_normal((height, width))) / np.maximum(
        frequency, 1 / max(height, width)
    )
    texture = np.fft.ifft2(spectrum).real
    texture = (texture - texture.mean()) / texture.std()
    picture = np.stack([110 + tint * texture + 60 * rows / height for tint in (28, 24, 20)], axis=-1)
    for _ in range(4):
        y, x, radius = (
            rng.uniform(0, height),
            rng.uniform(0, width),
            rng.uniform(0.08, 0.25) * min(height, width),
        )
        distance = np.hypot(rows - y, columns - x) / radius
        shade = 1 - 0.5 * np.clip(distance, 0, 1)
        colour = rng.uniform(40, 230, 3)
        picture = np.where((distance < 1)[..., None], shade[..., None] * colour + 0.3 * picture, picture)
    grain = rng.normal(0, 2, picture.shape)
    return np.clip(picture + grain, 0, 255).round().astype(np.uint8)
