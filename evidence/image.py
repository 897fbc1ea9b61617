"""A still picture: bytes in, upright sRGB pixels out.

Pillow reads every header and judges every file; only the parser that the leading bytes name is let
near it, and the pixel count is checked before anything is decoded. The pixels of a plain JPEG
(grey or three components, sRGB) come from OpenCV's imdecode, those of all else from Pillow with
pillow-heif. Both wrap libjpeg-turbo and agree to the last bit (a test says so), but a 12-megapixel
JPEG costs 70 ms through OpenCV and 120 ms through Pillow, whose pixels have to be repacked. A
picture whose data ends early is refused instead of being filled with grey.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pillow_heif
from PIL import (  # the plugins are named so that Pillow never loads its forty others
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from evidence.claims import claims_of_image
from evidence.colour import is_plain, to_srgb
from evidence.errors import DamagedMedia, LimitExceeded, TouchstoneError, UnsupportedMedia
from evidence.jpeg import read_history, scan_end
from evidence.limits import DecodeLimits
from evidence.medium import JpegHistory, MediaInfo, Pixels
from evidence.sniff import HEAD_BYTES, IMAGE_MIMES, sniff
from evidence.source import read_media

PARSERS = {
    "image/jpeg": JpegImagePlugin.JpegImageFile.format,
    "image/png": PngImagePlugin.PngImageFile.format,
    "image/webp": WebPImagePlugin.WebPImageFile.format,
    "image/avif": AvifImagePlugin.AvifImageFile.format,
    "image/heic": pillow_heif.HeifImageFile.format,
    "image/tiff": TiffImagePlugin.TiffImageFile.format,
    "image/gif": GifImagePlugin.GifImageFile.format,
    "image/bmp": BmpImagePlugin.BmpImageFile.format,
}
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
# Our own cap, checked in `open_image` before any pixel is decoded, takes the place of Pillow's warning.
Image.MAX_IMAGE_PIXELS = None


def decode_image(
    source: str | os.PathLike[str] | bytes, limits: DecodeLimits | None = None
) -> tuple[MediaInfo, Pixels]:
    """Decode a file, or the bytes of one, to RGB uint8 (H, W, 3): upright, sRGB, on white.

    Of an animation this is the first frame, of a multi-page TIFF the first page. Raises the
    `MediaError` that names what is wrong with the file.
    """
    limits = limits or DecodeLimits()
    if isinstance(source, bytes):
        return decode_bytes(source, "", limits)
    return decode_bytes(read_media(source, limits), os.fspath(source), limits)


def decode_bytes(data: bytes, path: str, limits: DecodeLimits) -> tuple[MediaInfo, Pixels]:
    """What `decode_image` does, for bytes that were read from `path`."""
    mime = sniff(data[:HEAD_BYTES])
    if mime not in IMAGE_MIMES:
        raise UnsupportedMedia(
            f"This is a video ({mime}), not a picture.", "Hand in one of its frames as a picture."
        )
    with translated(mime), open_image(data, mime, limits) as image:
        plain = _plain_jpeg(image, data) if mime == "image/jpeg" else None
        info = describe(image, data, path, mime, loaded=plain is not None)
        pixels = np.asarray(to_srgb(image)) if plain is None else plain
        if info.jpeg is not None:
            _refuse_grey_filling(pixels, info.jpeg, data)
        return info, upright(pixels, orientation(image))


@contextmanager
def translated(mime: str) -> Iterator[None]:
    """Every failure of a parser inside the block becomes `DamagedMedia`, or `LimitExceeded` for memory.

    Warnings that speak of missing data are failures; the others are Pillow thinking aloud.
    """
    kind = mime.partition("/")[2].upper()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="(?i).*truncated")
            yield
    except TouchstoneError:
        raise
    except MemoryError as problem:
        raise LimitExceeded(
            f"Decoding this {kind} takes more memory than a decoder may use.",
            "Raise the memory limit in the settings or hand in a smaller copy.",
        ) from problem
    except Exception as problem:  # hostile files make the parsers raise anything at all
        raise DamagedMedia(
            f"The {kind} data cannot be decoded: {_reason(problem)}.", "Get an undamaged copy of the file."
        ) from problem


def open_image(data: bytes, mime: str, limits: DecodeLimits) -> Image.Image:
    """A Pillow image over `data` by the one parser for `mime`; its size is checked, nothing decoded."""
    image = Image.open(io.BytesIO(data), formats=(PARSERS[mime],))
    width, height = image.size
    if width * height > limits.max_pixels:
        raise LimitExceeded(
            f"The picture is {width:,} x {height:,} = {width * height:,} pixels; "
            f"the limit is {limits.max_pixels:,}.",
            "Raise the pixel limit in the settings or hand in a smaller copy.",
        )
    return image


def describe(image: Image.Image, data: bytes, path: str, mime: str, *, loaded: bool = False) -> MediaInfo:
    """Load the first frame of an opened image, unless that is done, and say what is known of the file."""
    # Counted before the pixels are loaded (GIF counts by seeking), claims read after (PNG text may follow).
    frames = int(getattr(image, "n_frames", 1)) if mime in _CAN_MOVE else 1
    if not loaded:
        image.load()
    turned = orientation(image)
    width, height = image.size
    if turned in _SIDEWAYS:
        width, height = height, width
    return MediaInfo(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        kind="animation" if frames > 1 else "image",
        mime=mime,
        size_bytes=len(data),
        width=width,
        height=height,
        frames=frames,
        rotation=_DEGREES.get(turned, 0),
        codec=mime.partition("/")[2],
        jpeg=read_history(data) if mime == "image/jpeg" else None,
        metadata=claims_of_image(image),
    )


def upright(pixels: Pixels, turned: int) -> Pixels:
    """Pixels (H, W, 3) as stored, brought upright from EXIF orientation `turned`."""
    across, flip = _TURNS.get(turned, (False, None))
    if across:
        pixels = cv2.transpose(pixels)
    return pixels if flip is None else cv2.flip(pixels, flip)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8; a broken EXIF block leaves the picture as it lies."""
    if "exif" not in image.info and image.format not in ("TIFF", "PNG"):
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # the same hostile EXIF that `claims_of_image` reports as unreadable
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _plain_jpeg(image: Image.Image, data: bytes) -> Pixels | None:
    """The pixels of a JPEG that needs no colour work, by the fast road; `None` leaves it to Pillow."""
    if image.mode not in ("RGB", "L") or not is_plain(image):
        return None
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return pixels


def _refuse_grey_filling(pixels: Pixels, history: JpegHistory, data: bytes) -> None:
    """Refuse a JPEG whose data ran out before its end marker.

    libjpeg fills what is missing with mid-grey and only warns. Where the last pixel is that grey
    (within what a colour profile moves it), the picture is decoded once more with bytes added
    before the end marker: a complete picture ignores them, a starved one changes.
    """
    if history.progressive or np.abs(pixels[-1, -1].astype(int) - 128).max() > 4:
        return
    end = scan_end(data)
    fed = data[:end] + b"\x5a\xc3\x17\xe8" * 64 + data[end:]
    if not np.array_equal(_as_stored(data), _as_stored(fed)):
        raise DamagedMedia(
            "The JPEG data ends early: the rest of the picture would be filled with grey.",
            "Get a complete copy of the file.",
        )


def _as_stored(data: bytes) -> Pixels:
    """The pixels of a JPEG, by Pillow: OpenCV would print on stderr what libjpeg says of bytes too many."""
    with Image.open(io.BytesIO(data + _JPEG_END), formats=(PARSERS["image/jpeg"],)) as image:
        return np.asarray(image)


def _reason(problem: Exception) -> str:
    """The parser's complaint as half a sentence."""
    if isinstance(problem, UnidentifiedImageError):
        return "its header is broken or incomplete"
    lines = str(problem).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(problem).__name__


_JPEG_END = b"\xff\xd9"  # Pillow wants it, and takes a second one for nothing
_CAN_MOVE = frozenset({"image/gif", "image/png", "image/webp", "image/avif"})
# EXIF orientation: (swap rows and columns, then OpenCV's flip code).
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}
_SIDEWAYS = frozenset({5, 6, 7, 8})
# Clockwise degrees that bring the stored picture upright; mirrored ones name their turn.
_DEGREES = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
