"""The pictures that a manifest holds beside its file: what that was made from, and what it was when signed.

They are taken out in a child of the sandbox, and are themselves strangers' pictures: decode them as such.
What a signer put there is the signer's word; the second says where a file was changed after it was signed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import cv2
import numpy as np

from evidence.errors import MediaError
from evidence.image import decode_image
from evidence.inquiry import Reader
from evidence.limits import DecodeLimits
from evidence.medium import Pixels
from evidence.thumbnails import preview_jpg, shrunk
from evidence.wire import Message
from provenance.c2pa import CredentialReader
from provenance.formats import media_type

BESIDE = Reader("provenance.beside:Pictures")  # what the pool for `picture_in` is given

Kind = Literal["parent", "signed"]
KINDS: tuple[Kind, ...] = ("parent", "signed")

THUMBNAIL_PX = 512
MOST_BYTES = 2 << 20  # of a thumbnail; manifests hold some of 100 kB
COMPARED_SIDE = 128
SAME_SHAPE = 0.03  # relative; thumbnails are rounded to whole pixels
FEWEST = 3  # cells of three by three that differ: one alone is grain
STEP = 24  # of 255: more than JPEG, scaling or our watermark change the mean of a cell


class Pictures:
    """What runs in the child: the pictures in a file's manifest by their kind, in base 64."""

    def __call__(self, files: Sequence[BinaryIO], name: str) -> Message:
        """The medium comes first, its sidecar second where it has one."""
        file, *beside = files
        sidecar = beside[0].read() if beside else b""
        found = CredentialReader().pictures(file, media_type(file), sidecar)
        held = zip(KINDS, found, strict=True)
        return {kind: base64.b64encode(one).decode() for kind, one in held if len(one) <= MOST_BYTES}


def picture_in(answer: Message, kind: Kind) -> bytes:
    """The thumbnail that a child sent; empty where there is none."""
    try:
        return base64.b64decode(str(answer.get(kind, "")), validate=True)
    except ValueError:
        return b""


def thumbnail_of(pixels: Pixels) -> bytes:
    """A picture as a manifest may hold it."""
    return preview_jpg(shrunk(pixels, THUMBNAIL_PX))


def thumbnail_in(path: Path, limits: DecodeLimits) -> bytes:
    """The same of a file of one's own; empty for what is no picture."""
    try:
        return thumbnail_of(decode_image(path, limits)[1])
    except MediaError:
        return b""


@dataclass(frozen=True)
class Difference:
    """How much of a picture differs from another, and the box around that, in shares of its sides."""

    share: float
    box: tuple[float, float, float, float] | None


def difference(picture: Pixels, other: Pixels) -> Difference | None:
    """Where two pictures of one shape differ; None where they have different shapes, as after a crop."""
    (height, width), (other_height, other_width) = picture.shape[:2], other.shape[:2]
    if abs(width * other_height / (height * other_width) - 1) > SAME_SHAPE:
        return None
    scale = COMPARED_SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA).astype(np.int16) for one in (picture, other)]
    apart = np.abs(small[0] - small[1]).max(axis=-1) > STEP
    near = cv2.boxFilter(apart.astype(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    apart &= near >= FEWEST
    if not apart.any():
        return Difference(0.0, None)
    rows, columns = np.flatnonzero(apart.any(axis=1)), np.flatnonzero(apart.any(axis=0))
    box = (
        float(columns[0]) / size[0],
        float(rows[0]) / size[1],
        float(columns[-1] + 1) / size[0],
        float(rows[-1] + 1) / size[1],
    )
    return Difference(float(apart.mean()), box)
