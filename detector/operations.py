"""What the wild does to pictures, one function each: RGB uint8 (H, W, 3) in and out, no state.

Every function is a pure function of pixels and parameters, with randomness from a `seed`, so that
the same parameters do the same to a real picture and to its forged twin. Only `resize` changes
the shape.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image

from evidence.medium import Pixels
from evidence.video import h264_roundtrip

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
ENCODERS = ("pillow", "opencv")
KERNELS = ("nearest", "bilinear", "bicubic", "area", "lanczos")

_PILLOW_SAMPLING = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
_OPENCV_SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
_OPENCV_KERNEL = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


def jpeg(
    pixels: Pixels, *, quality: int, sampling: str = "4:2:0", encoder: str = "pillow", shift: int = 0
) -> Pixels:
    """Through JPEG and back; `shift` 0..7 moves the block grid down and right by so many pixels."""
    height, width = pixels.shape[:2]
    if shift:
        pixels = np.pad(pixels, ((8 - shift, 0), (8 - shift, 0), (0, 0)), mode="edge")
    if encoder == "opencv":
        options = [
            cv2.IMWRITE_JPEG_QUALITY,
            quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            _OPENCV_SAMPLING[sampling],
        ]
        _, written = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), options)
        back: Pixels = np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]
    else:
        back = _through_pillow(pixels, "JPEG", quality=quality, subsampling=_PILLOW_SAMPLING[sampling])
    return back[-height:, -width:]


def webp(pixels: Pixels, *, quality: int) -> Pixels:
    """Through lossy WebP and back."""
    return _through_pillow(pixels, "WEBP", quality=quality, method=0)


def video(pixels: Pixels, *, crf: int) -> Pixels:
    """Through H.264 and back, as a frame of a video at constant rate factor `crf` 0..51."""
    return h264_roundtrip(pixels, crf)


def resize(pixels: Pixels, *, factor: float, kernel: str, back: bool = False) -> Pixels:
    """Scale both sides by `factor`; with `back`, return to the first size by the same kernel."""
    height, width = pixels.shape[:2]
    scaled = _scale(pixels, max(1, round(height * factor)), max(1, round(width * factor)), kernel)
    return _scale(scaled, height, width, kernel) if back else scaled


def blur(pixels: Pixels, *, sigma: float) -> Pixels:
    """Gaussian blur."""
    blurred: Pixels = cv2.GaussianBlur(pixels, (0, 0), sigma)
    return blurred


def sharpen(pixels: Pixels, *, amount: float, sigma: float = 1.0) -> Pixels:
    """Unsharp masking: the picture plus `amount` times what a blur removes."""
    soft = cv2.GaussianBlur(pixels, (0, 0), sigma)
    sharp: Pixels = cv2.addWeighted(pixels, 1.0 + amount, soft, -amount, 0.0)
    return sharp


def median(pixels: Pixels, *, size: int = 3) -> Pixels:
    """Median of `size` x `size` pixels, each colour for itself."""
    filtered: Pixels = cv2.medianBlur(np.ascontiguousarray(pixels), size)
    return filtered


def denoise(pixels: Pixels, *, strength: float, method: str = "bilateral") -> Pixels:
    """Edge-preserving smoothing as cameras and editors do it: "bilateral" or "nlmeans"."""
    if method == "nlmeans":
        smooth: Pixels = cv2.fastNlMeansDenoising(np.ascontiguousarray(pixels), None, strength / 4, 3, 7)
    else:
        smooth = cv2.bilateralFilter(np.ascontiguousarray(pixels), 5, strength, 3)
    return smooth


def noise(pixels: Pixels, *, sigma: float, seed: int, grey: bool = False) -> Pixels:
    """Gaussian noise of `sigma` grey levels, one value for all colours if `grey`."""
    rng = np.random.default_rng(seed)
    shape = (*pixels.shape[:2], 1) if grey else pixels.shape
    grains = rng.standard_normal(shape, np.float32) * np.float32(sigma)
    return np.clip(np.rint(pixels + grains), 0, 255).astype(np.uint8)


def tone(pixels: Pixels, *, gamma: float = 1.0, contrast: float = 1.0) -> Pixels:
    """Gamma and contrast about middle grey, by one table for all colours."""
    levels = (np.arange(256) / 255.0) ** gamma
    table = np.clip(np.rint(255.0 * ((levels - 0.5) * contrast + 0.5)), 0, 255).astype(np.uint8)
    toned: Pixels = cv2.LUT(np.ascontiguousarray(pixels), table)
    return toned


def overlay(pixels: Pixels, *, seed: int) -> Pixels:
    """A window frame, bars and text over the picture, as in a screenshot or a captioned post."""
    layer, covered = overlay_layer(pixels.shape[0], pixels.shape[1], seed)
    return np.where(covered[:, :, None], layer, pixels)


def overlay_layer(height: int, width: int, seed: int) -> tuple[Pixels, Any]:
    """What `overlay` draws: the layer (H, W, 3) and where it covers the picture, bool (H, W)."""
    rng = np.random.default_rng(seed)
    layer = np.zeros((height, width, 3), np.uint8)
    covered = np.zeros((height, width), np.uint8)
    if rng.random() < 0.6:
        thickness = int(rng.integers(2, max(3, height // 8)))
        y = int(rng.choice([0, height - thickness]))
        layer[y : y + thickness] = rng.integers(0, 256, 3)
        covered[y : y + thickness] = 1
    for _ in range(int(rng.integers(1, 4))):
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        if rng.random() < 0.5:
            corner = (x + int(rng.integers(8, 48)), y + int(rng.integers(4, 16)))
            cv2.rectangle(layer, (x, y), corner, colour, cv2.FILLED)
            cv2.rectangle(covered, (x, y), corner, 1, cv2.FILLED)
        else:
            letters = "".join(chr(int(code)) for code in rng.integers(65, 123, 10))
            size = float(rng.uniform(0.3, 0.8))
            cv2.putText(layer, letters, (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1)
            cv2.putText(covered, letters, (x // 2, y), cv2.FONT_HERSHEY_SIMPLEX, size, 1, 1)
    return layer, covered.astype(bool)


OPERATIONS: dict[str, Callable[..., Pixels]] = {
    "jpeg": jpeg,
    "webp": webp,
    "video": video,
    "resize": resize,
    "blur": blur,
    "sharpen": sharpen,
    "median": median,
    "denoise": denoise,
    "noise": noise,
    "tone": tone,
    "overlay": overlay,
}


def _through_pillow(pixels: Pixels, container: str, **options: Any) -> Pixels:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, container, **options)
    with Image.open(written) as picture:
        return np.asarray(picture.convert("RGB"))


def _scale(pixels: Pixels, height: int, width: int, kernel: str) -> Pixels:
    if kernel == "lanczos":
        # Pillow widens its kernel when it shrinks a picture; OpenCV's cubic and linear do not.
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
    scaled: Pixels = cv2.resize(pixels, (width, height), interpolation=_OPENCV_KERNEL[kernel])
    return scaled
