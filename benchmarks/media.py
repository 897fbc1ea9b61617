"""Media made by code with fixed seeds, for benchmarks and tests: the same bytes to measure everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.jpeg import encode_jpeg
from evidence.medium import Pixels
from evidence.video import write_video

SMALL_SIDE, SMALL_COUNT = 256, 400
LARGE = (3000, 4000)  # 12 megapixels
CLIP = (1080, 1920)
CLIP_SECONDS, CLIP_FPS = 30, 30
PAN = 2  # pixels the view moves each frame


def photo_like(height: int, width: int, seed: int) -> Pixels:
    """RGB uint8 (height, width, 3) with a photograph's 1/f spectrum, a gradient of light and shaded discs."""
    rng = np.random.default_rng(seed)
    texture = _octaves(height, width, rng)
    light = np.linspace(0, 60, height, dtype=np.float32)[:, None] + 110
    picture = np.stack([light + tint * texture for tint in (28, 24, 20)], axis=-1)
    rows, columns = np.ogrid[0:height, 0:width]
    for _ in range(4):
        y, x, radius = (
            rng.uniform(0, height),
            rng.uniform(0, width),
            rng.uniform(0.08, 0.25) * min(height, width),
        )
        distance = np.hypot(rows - y, columns - x) / radius
        inside = distance < 1
        shade = 1 - 0.5 * distance[inside]
        picture[inside] = shade[:, None] * rng.uniform(40, 230, 3) + 0.3 * picture[inside]
    picture += 2 * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def small_jpegs(folder: Path, count: int = SMALL_COUNT) -> list[Path]:
    """`count` JPEGs of 256 x 256 px, qualities 75 to 95; made where they are missing."""
    paths = [folder / f"{index:05d}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_jpeg(photo_like(SMALL_SIDE, SMALL_SIDE, index), 75 + index % 21))
    return paths


def large_jpeg(folder: Path) -> Path:
    """A JPEG of 12 megapixels, quality 90; made if it is missing."""
    path = folder / "large.jpg"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_jpeg(photo_like(*LARGE, 1), 90))
    return path


def long_clip(folder: Path) -> Path:
    """Half a minute of 1080p at 30 frames a second, H.264 with a key frame every 250; made if missing.

    The view pans over a still scene, so motion vectors and residuals are those of a camera.
    """
    path = folder / "clip.mp4"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_video(
            path, pan(CLIP[0], CLIP[1], CLIP_SECONDS * CLIP_FPS, seed=2), CLIP_FPS, keyframe_every=250
        )
    return path


def pan(height: int, width: int, count: int, seed: int) -> Iterator[Pixels]:
    """`count` views of (height, width) sliding over one scene, `PAN` pixels a frame."""
    scene = photo_like(height, width + PAN * count, seed)
    for index in range(count):
        yield np.ascontiguousarray(scene[:, PAN * index : PAN * index + width])


def _octaves(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1 whose power falls with the square of the frequency.

    A sum of white noise at every scale, each octave as strong as the next.
    """
    texture = np.zeros((height, width), np.float32)
    scale = 1
    while max(height, width) // scale >= 2:
        shape = (-(-height // scale), -(-width // scale))
        coarse = rng.standard_normal(shape, np.float32)
        texture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        scale *= 2
    return np.asarray((texture - texture.mean()) / texture.std(), np.float32)
