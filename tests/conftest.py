"""Fixtures every room shares: tiny media made by code with fixed seeds, and the shared data folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from PIL import Image

from benchmarks import servers
from benchmarks.media import pan, photo_like
from evidence.medium import Pixels
from evidence.video import write_video

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
    return photo_like


@pytest.fixture(scope="session")
def photo() -> Pixels:
    """One photo-like picture, RGB uint8 (192, 256, 3)."""
    return photo_like(192, 256, 1)


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
    write_video(path, pan(96, 128, 50, seed=2), 25, crf=20, keyframe_every=25)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of this test session, reached through a socket in its folder."""
    with servers.postgres(fsync=False) as server:  # pytest's own folders are closed to other users
        yield server.url


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """A fresh database of the PostgreSQL server."""
    name = f"t{time.monotonic_ns()}"
    admin = sqlalchemy.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()
