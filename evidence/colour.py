"""Any colour mode and profile to sRGB on white: what a person sees on a screen.

Profiles are applied by LittleCMS (through Pillow's ImageCms, perceptual intent). A profile that
moves no colour of a probe cube by more than one level is taken for sRGB and costs nothing more;
one that cannot be parsed, or that belongs to another colour space, is left aside as every viewer
does. Sixteen bits of grey are rounded to eight; of sixteen-bit colour Pillow keeps the upper eight.
"""

from __future__ import annotations

import io
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageCms

from evidence.errors import UnsupportedMedia

MAX_PROFILE_BYTES = 4 << 20


def to_srgb(image: Image.Image) -> Image.Image:
    """An upright or turned Pillow image of any mode as mode RGB in sRGB, composited on white.

    Raises `UnsupportedMedia` for pixels without a defined white: floating point, or integers
    beyond 16 bits.
    """
    if image.mode in _DEEP or image.mode == "F":
        return _from_deep(image)
    profile = image.info.get("icc_profile") or b""
    if not image.has_transparency_data:
        return _apply(profile, image)
    with_alpha = image.convert("RGBA")
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(_apply(profile, with_alpha.convert("RGB")), mask=with_alpha.getchannel("A"))
    return white


def is_plain(image: Image.Image) -> bool:
    """True when an RGB or grey image is sRGB already: no alpha, no profile that moves its colours."""
    profile = image.info.get("icc_profile") or b""
    return not image.has_transparency_data and _transform(profile, image.mode) is None


def profile_name(image: Image.Image) -> str:
    """The description in the image's colour profile, or "" when there is none to read."""
    profile = _parse(image.info.get("icc_profile") or b"")
    if profile is None:
        return ""
    try:
        return ImageCms.getProfileDescription(profile).strip()
    except ImageCms.PyCMSError:
        return ""


def _apply(profile: bytes, image: Image.Image) -> Image.Image:
    """Convert to RGB through the profile when it fits the image's mode, plainly otherwise."""
    if image.mode == "LAB":
        profile = b""
    elif image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    transform = _transform(profile, image.mode)
    if transform is not None:
        converted = transform.apply(image)
        return converted
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile to sRGB, or `None` where plain conversion says the same."""
    source = ImageCms.createProfile("LAB") if mode == "LAB" else _parse(profile)
    if source is None:
        return None
    if mode != "LAB" and source.profile.xcolor_space.strip() != _SPACES[mode]:  # type: ignore[union-attr]
        return None
    try:
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except ImageCms.PyCMSError:
        return None
    return None if mode == "RGB" and _moves_nothing(transform) else transform


def _parse(profile: bytes) -> ImageCms.ImageCmsProfile | None:
    """An ICC profile, or `None` when it is absent, broken or absurdly large."""
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _moves_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """True when no colour of a 9x9x9 cube moves by more than one level."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.array(list(product(levels, repeat=3)), dtype=np.uint8)[None]  # (1, 729, 3)
    moved = np.asarray(transform.apply(Image.fromarray(cube)), dtype=np.int16)
    return bool(np.abs(moved - cube).max() <= 1)


def _from_deep(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, rounded to 8; `I` is accepted as far as its values are 16-bit ones."""
    values = np.asarray(image)
    if image.mode == "F" or (values.size and (values.min() < 0 or values.max() > 65535)):
        raise UnsupportedMedia(
            "The pixels are floating point or wider than 16 bits, with no defined white.",
            "Export the picture with 8 or 16 bits a channel.",
        )
    grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


_DEEP = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
