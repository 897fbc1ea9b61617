"""What the wild does to pictures, one function each: RGB uint8 (H, W, 3) in and out, no state.

Every function is a pure function of pixels and parameters, with randomness from a `seed`, so that
the same parameters do the same to a real picture and to its forged twin. `resize` and the functions of
`geometry` change the shape; screenshots and collages put the picture elsewhere within it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from PIL import Image

from detector.compositions import compose
from detector.geometry import GEOMETRY
from evidence.jpeg import mozjpeg_table
from evidence.medium import Pixels
from evidence.video_writer import CODECS, roundtrip

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
ENCODERS = ("pillow", "opencv", "mozjpeg")
DENOISERS = ("bilateral", "nlmeans")
FRAME_CODECS = tuple(CODECS)
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
    """Through JPEG and back; `shift` 0..7 moves the block grid down and right by so many pixels.

    The encoder "mozjpeg" is Pillow's with the quantisation tables that mozjpeg and ImageMagick write.
    """
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
    elif encoder == "mozjpeg":
        tables = [list(mozjpeg_table(quality))] * 2
        back = _through_pillow(pixels, "JPEG", qtables=tables, subsampling=_PILLOW_SAMPLING[sampling])
    else:
        back = _through_pillow(pixels, "JPEG", quality=quality, subsampling=_PILLOW_SAMPLING[sampling])
    return back[-height:, -width:]


def webp(pixels: Pixels, *, quality: int) -> Pixels:
    """Through lossy WebP and back."""
    return _through_pillow(pixels, "WEBP", quality=quality, method=0)


def avif(pixels: Pixels, *, quality: int) -> Pixels:
    """Through lossy AVIF and back."""
    return _through_pillow(pixels, "AVIF", quality=quality, speed=9, max_threads=1)


def video(pixels: Pixels, *, crf: int, codec: str = "h264") -> Pixels:
    """Through a video codec and back, as a key frame at the codec's own constant rate factor `crf`."""
    return roundtrip([pixels], crf, codec)[0]


def frame_rate(pixels: Pixels, *, factor: float) -> Pixels:
    """Of a clip, this share of the frames is kept (`clips`); a single picture stays as it is."""
    return pixels


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


def grey(pixels: Pixels, *, warmth: int = 0) -> Pixels:
    """Black and white; `warmth` grey levels more red and less blue make it sepia."""
    light = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY).astype(np.int16)
    toned: Pixels = np.clip(light[:, :, None] + np.array([warmth, 0, -warmth]), 0, 255).astype(np.uint8)
    return toned


def quantise(pixels: Pixels, *, bits: int) -> Pixels:
    """Only so many of the eight bits of each colour, spread over the whole range again."""
    steps = 2**bits - 1
    table = np.rint(np.rint(np.arange(256) * (steps / 255)) * (255 / steps)).astype(np.uint8)
    coarse: Pixels = table[pixels]
    return coarse


def grain(pixels: Pixels, *, strength: float, size: float, seed: int) -> Pixels:
    """Film grain: noise with specks of `size` pixels, strongest in the middle tones."""
    rng = np.random.default_rng(seed)
    specks = cv2.GaussianBlur(rng.standard_normal(pixels.shape[:2], np.float32), (0, 0), size)
    specks *= np.float32(strength) / max(float(specks.std()), 1e-6)
    light = pixels.mean(axis=2, dtype=np.float32) / np.float32(255)
    grains = specks * (np.float32(0.3) + np.float32(2.8) * light * (np.float32(1) - light))
    grainy: Pixels = np.clip(np.rint(pixels + grains[:, :, None]), 0, 255).astype(np.uint8)
    return grainy


def local_tone(pixels: Pixels, *, clip: float, tiles: int = 6) -> Pixels:
    """Local contrast as high-dynamic-range modes give it: equalised lightness in `tiles` x `tiles` parts."""
    lab = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(clip, (tiles, tiles)).apply(lab[:, :, 0])
    toned: Pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return toned


def overlay(pixels: Pixels, *, seed: int) -> Pixels:
    """A window frame, bars and text over the picture, as in a captioned post."""
    return compose(pixels, "overlay", seed)


def screenshot(pixels: Pixels, *, seed: int) -> Pixels:
    """The picture, a little smaller, in the window of a program."""
    return compose(pixels, "screenshot", seed)


def collage(pixels: Pixels, *, seed: int, rows: int = 0, columns: int = 0) -> Pixels:
    """Windows of the picture side by side, some of them shrunk; how many is drawn unless said."""
    return compose(pixels, "collage", seed, rows=rows, columns=columns)


def caption(pixels: Pixels, *, seed: int, share: float = 0.15) -> Pixels:
    """A bar with text over the lower or upper end."""
    return compose(pixels, "caption", seed, share=share)


def sticker(pixels: Pixels, *, seed: int, share: float = 0.1) -> Pixels:
    """A round face stuck over this share of the picture."""
    return compose(pixels, "sticker", seed, share=share)


OPERATIONS: dict[str, Callable[..., Pixels]] = {
    "jpeg": jpeg,
    "webp": webp,
    "avif": avif,
    "video": video,
    "resize": resize,
    "blur": blur,
    "sharpen": sharpen,
    "median": median,
    "denoise": denoise,
    "noise": noise,
    "tone": tone,
    "grey": grey,
    "grain": grain,
    "local_tone": local_tone,
    "overlay": overlay,
    "screenshot": screenshot,
    "collage": collage,
    "caption": caption,
    "sticker": sticker,
    "quantise": quantise,
    "frame_rate": frame_rate,
    **GEOMETRY,
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
