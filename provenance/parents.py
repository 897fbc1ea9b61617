"""The picture of what a file was made from, out of its manifest; and where the two differ.

The thumbnail is taken out in a child of the sandbox, and is itself a stranger's picture: decode it as one.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np

from evidence.inquiry import Reader
from evidence.medium import Pixels
from evidence.wire import Message
from provenance.c2pa import CredentialReader
from provenance.formats import media_type

PARENTS = Reader("provenance.parents:ParentPictures")  # what the pool for `picture_in` is given

MOST_BYTES = 2 << 20  # of a thumbnail; manifests hold some of 100 kB
COMPARED_SIDE = 128
SAME_SHAPE = 0.03  # relative; thumbnails are rounded to whole pixels
STEP = 24  # of 255: more than JPEG, scaling or our watermark change the mean of a cell


class ParentPictures:
    """What runs in the child: the thumbnail of a file's parent, in base 64."""

    def __call__(self, files: Sequence[BinaryIO], name: str) -> Message:
        file = files[0]
        picture = CredentialReader().parent_picture(file, media_type(file))
        return {"picture": base64.b64encode(picture).decode() if len(picture) <= MOST_BYTES else ""}


def picture_in(answer: Message) -> bytes:
    """The thumbnail that a child sent; empty where there is none."""
    try:
        return base64.b64decode(str(answer.get("picture", "")), validate=True)
    except ValueError:
        return b""


@dataclass(frozen=True)
class Difference:
    """How much of a picture differs from its parent, and the box around that, in shares of its sides."""

    share: float
    box: tuple[float, float, float, float] | None


def difference(picture: Pixels, parent: Pixels) -> Difference | None:
    """Where two pictures of one shape differ; None where they have different shapes, as after a crop."""
    (height, width), (before_height, before_width) = picture.shape[:2], parent.shape[:2]
    if abs(width * before_height / (height * before_width) - 1) > SAME_SHAPE:
        return None
    scale = COMPARED_SIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = [
        cv2.resize(one, size, interpolation=cv2.INTER_AREA).astype(np.int16) for one in (picture, parent)
    ]
    apart = np.abs(small[0] - small[1]).max(axis=-1) > STEP
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
