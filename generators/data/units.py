"""Faces with measured action units, for GANimation (Pumarola et al. 2018, 1807.09251).

`faces-lfw` and `faces-celeba` may be joined by "+"; their 17 units were measured by a landmarker, not by
people, and run from 0 to 1. A folder holds pictures and units.csv: the column file, and one column a unit.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.memory import ImageSet, fitted, read_file, read_text
from generators.data.views import read

SETS = ("faces-lfw", "faces-celeba")
TABLE = "units.csv"


class UnitSet:
    """Faces (S, S, 3) uint8 with their units (N, U) in [0, 1], mirrored with even odds when drawn.

    `pose` (N, 3) holds yaw, pitch and roll in degrees where they were measured, else NaN. `training` opens
    the part that models are trained on, for a set that is held out from it.
    """

    def __init__(
        self,
        pictures: Sequence[Pixels],
        units: NDArray[np.float32],
        *,
        names: tuple[str, ...],
        pose: NDArray[np.float32] | None = None,
        sha256: dict[str, str] | None = None,
        training: partial[UnitSet] | None = None,
    ) -> None:
        if len(pictures) < 2:
            raise DataError(
                f"There is {len(pictures) or 'no'} face with action units.", "Give some hundreds of faces."
            )
        self.names: Mapping[str, tuple[str, ...]] = {"units": names}
        self.sha256 = sha256 or {}
        self.pixels = torch.from_numpy(np.stack(pictures))  # (N, S, S, 3)
        self.units = torch.from_numpy(units)
        self.pose = torch.full((len(units), 3), float("nan")) if pose is None else torch.from_numpy(pose)
        self._training = training

    def __len__(self) -> int:
        return len(self.pixels)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` faces with replacement and their "units" on `device`; a mirrored face has the same."""
        chosen = torch.randint(len(self), (count,), generator=rng)
        mirrored = torch.rand(count, generator=rng) < 0.5
        images = self.images(chosen)
        images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        return Batch(images.to(device), extra={"units": self.units[chosen].to(device)})

    def images(self, chosen: Tensor) -> Tensor:
        """The faces at these indices (B,) as (B, 3, S, S) in [-1, 1]."""
        return self.pixels[chosen].permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0).contiguous()

    def training_part(self) -> UnitSet:
        """The faces that models are trained on; a set without parts is its own."""
        return self if self._training is None else self._training()


def open_set(data: str, image_shape: tuple[int, int, int], *, split: str) -> UnitSet:
    """The part `split` of the faces that `data` names, or a folder, which has no parts; DataError if none."""
    size, names = image_shape[1], data.split("+")
    if all(name in SETS for name in names):
        return _shared(names, size, split, None if split == "train" else partial(_shared, names, size))
    if not Path(data).is_dir():
        raise DataError(
            f"{data!r} is neither a folder nor a set of faces with action units.",
            f"Known: {', '.join(SETS)}.",
        )
    return _folder(Path(data), size)


def _shared(
    names: Sequence[str], size: int, split: str = "train", training: partial[UnitSet] | None = None
) -> UnitSet:
    path = shards.data_root() / "faces" / "face-labels.npz"
    if not path.is_file():
        raise DataError(f"The action units {path} are missing.", "Complete the data folder.")
    with np.load(path) as labels:
        places = {key: index for index, key in enumerate(labels["key"].tolist())}
        units, pose = labels["au"].astype(np.float32), labels["pose"].astype(np.float32)
        unit_names = tuple(str(name) for name in labels["au_names"])
    pictures: list[Pixels] = []
    rows: list[int] = []
    for name in names:
        held = ImageSet.from_shard(name, size=size, split=split).pictures()
        for item, picture in zip(shards.load(name, split), held, strict=True):
            if item.key in places:
                pictures.append(picture)
                rows.append(places[item.key])
    digests = {file: digest for name in names for file, digest in shards.sha256_of(name).items()}
    digests[f"faces/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return UnitSet(
        pictures, units[rows], names=unit_names, pose=pose[rows], sha256=digests, training=training
    )


def _folder(folder: Path, size: int) -> UnitSet:
    table = folder / TABLE
    if not table.is_file():
        raise DataError(
            f"The folder {folder} has no {TABLE}.",
            "Write one with the column file and a column from 0 to 1 for each action unit, such as AU12.",
        )
    digest = hashlib.sha256(read_file(table))
    reader = csv.DictReader(io.StringIO(read_text(table), newline=""))
    names = tuple(name for name in reader.fieldnames or () if name != "file")
    if not names or "file" not in (reader.fieldnames or ()):
        raise DataError(
            f"{table} has the columns {', '.join(reader.fieldnames or ()) or 'of an empty file'}.",
            "It needs file, and one for each action unit.",
        )
    rows = list(_rows(reader, table, names))
    pictures = [fitted(read(path, digest), size, "square") for path, _ in rows]
    units = np.array([values for _, values in rows], np.float32).reshape(-1, len(names))
    return UnitSet(pictures, units, names=names, sha256={folder.name: digest.hexdigest()})


def _rows(
    reader: csv.DictReader[str], table: Path, names: tuple[str, ...]
) -> Iterator[tuple[Path, list[float]]]:
    for number, row in enumerate(reader, 2):
        path = table.parent / (row["file"] or "")
        if not path.is_file():
            raise DataError(
                f"Line {number} of {table} names {row['file']!r}, which is not there.",
                "Name pictures by their path under the folder.",
            )
        yield path, [_value(row[name], name, table, number) for name in names]


def _value(text: str | None, name: str, table: Path, number: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:  # neither does NaN
        raise DataError(
            f"Line {number} of {table} gives {name} the value {text!r}.",
            "Action units run from 0 to 1; divide OpenFace's intensities by 5.",
        )
    return value
