"""Faces with measured yaw, each beside another picture of the same person, for DR-GAN and TP-GAN.

`faces-lfw` names persons, `faces-celeba` none; both may be joined by "+". A face whose person has no other
picture is paired with its own mirror image, which is that face from the opposite yaw. After `frontal:`
only faces that look ahead are images, and `turned` is a turned picture of the same person, or the image
itself where there is none; held-out parts keep the faces that have one. A folder holds pictures and
poses.csv with the columns file, yaw and, where known, person.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.memory import decode, fitted, read_file, read_text
from generators.data.views import read

SETS = ("faces-lfw", "faces-celeba")
FRONTAL = "frontal:"
TABLE = "poses.csv"

AHEAD = 12.0  # degrees within which a face looks ahead, and beyond TURNED it is turned
TURNED = 20.0
FURTHEST = 50.0  # the landmarker that measured the shared faces is weak beyond

# Windows (left, top, side) that put the eyes of both sets, on average, on the same places of the square.
_WINDOWS = {"faces-lfw": (50.0, 50.0, 150.0), "faces-celeba": (6.75, 23.5, 75.5)}


@dataclass(frozen=True)
class Face:
    """A square picture (S, S, 3), its yaw in degrees (positive: the nose to the picture's right), whose."""

    pixels: Pixels
    yaw: float
    person: str = ""


class PoseSet:
    """Faces held in memory, drawn more often the rarer their yaw is; mirrored with even odds.

    `extra` of a draw: "yaw" (B,) and "identity" (B,), -1 for persons with one picture, of `images`;
    "turned" (B, 3, S, S) and "turned_yaw" (B,), the picture beside each.
    """

    def __init__(
        self,
        faces: Sequence[Face],
        *,
        frontal: bool = False,
        partnered: bool = False,
        sha256: dict[str, str] | None = None,
    ) -> None:
        if len(faces) < 2:
            raise DataError(
                f"There is {len(faces) or 'no'} face with a known yaw.", "Give some hundreds of faces."
            )
        self.frontal, self.sha256 = frontal, sha256 or {}
        self.pixels = torch.from_numpy(np.stack([face.pixels for face in faces]))  # (N, S, S, 3)
        self.yaw = torch.tensor([face.yaw for face in faces])
        members: dict[str, list[int]] = defaultdict(list)
        for index, face in enumerate(faces):
            if face.person:
                members[face.person].append(index)
        known = {person: held for person, held in members.items() if len(held) > 1}
        self.names: Mapping[str, tuple[str, ...]] = {"persons": tuple(sorted(known))}
        numbers = {person: number for number, person in enumerate(self.names["persons"])}
        self.identity = torch.tensor([numbers.get(face.person, -1) for face in faces])
        self.partners = [
            self._partners(index, known.get(face.person, [])) for index, face in enumerate(faces)
        ]
        ahead = self.yaw.abs() <= AHEAD
        self.members = [
            index
            for index in range(len(faces))
            if not frontal or (bool(ahead[index]) and bool(self.partners[index] or not partnered))
        ]
        if not self.members:
            raise DataError(
                f"No face looks ahead (yaw within {AHEAD:g} degrees) beside a turned one of the same person.",
                "Give faces of both sorts, with the person in poses.csv.",
            )
        self._odds = _odds(self.yaw[self.members])

    def __len__(self) -> int:
        return len(self.members)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` faces with replacement, each beside another of the same person, on `device`."""
        places = torch.multinomial(self._odds, count, replacement=True, generator=rng)
        chosen = torch.tensor(self.members)[places]
        picks = torch.rand(count, 2, generator=rng)
        partners = [
            held[int(pick * len(held))] if (held := self.partners[index]) else index
            for index, pick in zip(chosen.tolist(), picks[:, 0].tolist(), strict=True)
        ]
        beside = torch.tensor(partners)
        mirrored = picks[:, 1] < 0.5
        # Alone, a face stands beside its mirror image; a frontal one beside itself.
        other = mirrored ^ ((beside == chosen) & (not self.frontal))
        extra = {
            "yaw": _signed(self.yaw[chosen], mirrored).to(device),
            "identity": self.identity[chosen].to(device),
            "turned": self._images(beside, other).to(device),
            "turned_yaw": _signed(self.yaw[beside], other).to(device),
        }
        return Batch(self._images(chosen, mirrored).to(device), extra=extra)

    def _partners(self, index: int, held: Sequence[int]) -> list[int]:
        others = [other for other in held if other != index]
        return [other for other in others if self.yaw[other].abs() > TURNED] if self.frontal else others

    def _images(self, chosen: Tensor, mirrored: Tensor) -> Tensor:
        images = self.pixels[chosen].permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images).contiguous()


def open_set(data: str, image_shape: tuple[int, int, int], *, split: str) -> PoseSet:
    """The part `split` of the faces that `data` names, or a folder, which has no parts; DataError if none."""
    frontal, size = data.startswith(FRONTAL), image_shape[1]
    wanted = data.removeprefix(FRONTAL)
    names = wanted.split("+")
    if all(name in SETS for name in names):
        faces = [face for name in names for face in _shared(name, size, split)]
        digests = {file: digest for name in names for file, digest in shards.sha256_of(name).items()}
        partnered = frontal and split != "train"
        return PoseSet(faces, frontal=frontal, partnered=partnered, sha256=digests)
    if not Path(wanted).is_dir():
        raise DataError(f"{wanted!r} is neither a folder nor a set of faces.", f"Known: {', '.join(SETS)}.")
    faces, digests = _folder(Path(wanted), size)
    return PoseSet(faces, frontal=frontal, sha256=digests)


def _shared(name: str, size: int, split: str) -> list[Face]:
    with np.load(shards.data_root() / "faces" / "face-labels.npz") as labels:
        yaws = dict(zip(labels["key"].tolist(), labels["pose"][:, 0].tolist(), strict=True))
    faces = []
    for item in shards.load(name, split):
        yaw = yaws.get(item.key, float("nan"))
        if abs(yaw) <= FURTHEST:  # not so for NaN
            pixels = _window(decode(item.data, item.key), _WINDOWS[name], size)
            faces.append(Face(pixels, yaw, item.meta.get("person", "")))
    return faces


def _folder(folder: Path, size: int) -> tuple[list[Face], dict[str, str]]:
    table = folder / TABLE
    if not table.is_file():
        raise DataError(
            f"The folder {folder} has no {TABLE}.",
            "Write one with the columns file, yaw (degrees) and, where known, person.",
        )
    digest = hashlib.sha256(read_file(table))
    faces = []
    for number, row in enumerate(csv.DictReader(io.StringIO(read_text(table), newline="")), 2):
        path = folder / (row.get("file") or "")
        yaw = _degrees(row.get("yaw"), table, number)
        if not path.is_file():
            raise DataError(
                f"Line {number} of {table} names {row.get('file')!r}, which is not there.",
                "Name pictures by their path under the folder.",
            )
        faces.append(Face(fitted(read(path, digest), size, "square"), yaw, row.get("person") or ""))
    return faces, {folder.name: digest.hexdigest()}


def _degrees(value: str | None, table: Path, number: int) -> float:
    try:
        yaw = float(value or "")
    except ValueError:
        yaw = float("nan")
    if not -90 <= yaw <= 90:
        raise DataError(
            f"Line {number} of {table} gives the yaw {value!r}.", "Write degrees from -90 to 90, 0 for ahead."
        )
    return yaw


def _window(picture: Pixels, window: tuple[float, float, float], size: int) -> Pixels:
    left, top, side = window
    square = cv2.getRectSubPix(
        picture, (round(side), round(side)), (left + (side - 1) / 2, top + (side - 1) / 2)
    )
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _odds(yaw: Tensor) -> Tensor:
    # By one over the root of how many stand within the same ten degrees: half way to all yaws alike.
    bins = (yaw / 10).round().long() + 9
    return torch.bincount(bins, minlength=19).float()[bins].rsqrt()


def _signed(yaw: Tensor, mirrored: Tensor) -> Tensor:
    return torch.where(mirrored, -yaw, yaw)
