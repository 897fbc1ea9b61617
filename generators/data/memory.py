"""`ImageSet`: a training set held as uint8 in memory, drawn from with a generator argument.

Pictures are brought to one square size (faces, digits) or kept at their native size and cropped at a
random place, at any offset from the JPEG grid (photographs); no draw ever resamples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evidence.errors import DataError, MediaError
from evidence.image import decode_image
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.shards import CENTRE
from generators.delivery import central_square

Fit = Literal["square", "crop"]

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class ImageSet:
    """Pictures (H, W, C) uint8 and their labels; `crop` draws native crops of that many pixels a side.

    `training` opens the part that models are trained on, for a set that is held out from it.
    """

    def __init__(
        self,
        pictures: Sequence[Pixels] | NDArray[np.uint8],
        *,
        labels: Sequence[int] | NDArray[np.int64] | None = None,
        crop: int | None = None,
        flip: bool = False,
        sha256: dict[str, str] | None = None,
        names: Mapping[str, tuple[str, ...]] | None = None,
        training: Callable[[], ImageSet] | None = None,
    ) -> None:
        if len(pictures) == 0:
            raise DataError("The training set holds no pictures.", "Check the folder and the split.")
        self.crop, self.flip = crop, flip
        self.sha256 = sha256 or {}
        self.names: Mapping[str, tuple[str, ...]] = names or {}
        self.training = training
        self.labels = None if labels is None else torch.as_tensor(np.asarray(labels, np.int64))
        self._natives: list[Pixels] = []
        self._squares: Tensor | None = None
        if crop is None:
            self._squares = torch.from_numpy(np.stack(list(pictures)))  # (N, H, W, C)
        else:
            self._natives = _large_enough(pictures, crop)
        self._count = len(pictures) if crop is None else len(self._natives)

    @classmethod
    def from_shard(
        cls,
        name: str,
        *,
        size: int,
        channels: int = 3,
        fit: Fit = "square",
        split: str = "train",
        flip: bool = False,
        root: Path | None = None,
    ) -> ImageSet:
        """The set `name` of the shared data, squared to `size` or ready for native crops of `size`."""
        digests = shards.sha256_of(name, root)
        if name in ("mnist", "fashion"):
            arrays, labels = shards.arrays(name, split, root)
            pictures = [fitted(_channels(p, channels), size, fit, 1.0) for p in arrays]
            digits = {"classes": tuple(str(label) for label in range(10))}
            return cls(
                pictures, labels=labels, crop=_crop(fit, size), flip=flip, sha256=digests, names=digits
            )
        items = list(shards.load(name, split, root))
        found = [item.meta["label"] for item in items if isinstance(item.meta.get("label"), int)]
        classes = sorted({(item.meta["label"], item.meta["class"]) for item in items if "class" in item.meta})
        centre = CENTRE.get(name, 1.0)
        return cls(
            [fitted(decode(item.data, item.key, channels), size, fit, centre) for item in items],
            labels=found if len(found) == len(items) else None,
            crop=_crop(fit, size),
            flip=flip,
            sha256=digests,
            names={"classes": tuple(name for _, name in classes)} if classes else None,
        )

    @classmethod
    def from_folder(
        cls, folder: Path, *, size: int, channels: int = 3, fit: Fit = "square", flip: bool = False
    ) -> ImageSet:
        """Every picture under `folder`, in order of its path; the folder counts as one sha256.

        Where all of them lie in sub-folders, each sub-folder is a class.
        """
        paths = sorted(
            path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and not path.is_dir()
        )
        if not paths:
            raise DataError(
                f"The folder {folder} holds no pictures.", f"Pictures end in {', '.join(_PICTURES)}."
            )
        if len(paths) == 1:
            raise DataError(
                f"The folder {folder} holds one picture, {paths[0].name}.",
                "A GAN learns what many pictures have in common: give it some hundreds.",
            )
        digest = hashlib.sha256()
        pictures = []
        for path in paths:
            content = read_file(path)
            digest.update(path.relative_to(folder).as_posix().encode() + hashlib.sha256(content).digest())
            pictures.append(fitted(decode(content, str(path), channels), size, fit, 1.0))
        places = [path.relative_to(folder).parts for path in paths]
        classes = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
        labelled = fit == "square" and all(len(place) > 1 for place in places)
        return cls(
            pictures,
            labels=[classes.index(place[0]) for place in places] if labelled else None,
            crop=_crop(fit, size),
            flip=flip,
            sha256={folder.name: digest.hexdigest()},
            names={"classes": tuple(classes)} if labelled else None,
        )

    @classmethod
    def joined(cls, sets: Sequence[ImageSet]) -> ImageSet:
        """Several sets of one kind as one; labels are dropped, since each set counts its own."""
        pictures = [picture for part in sets for picture in part.pictures()]
        digests = {file: digest for part in sets for file, digest in part.sha256.items()}
        return cls(pictures, crop=sets[0].crop, flip=sets[0].flip, sha256=digests)

    def __len__(self) -> int:
        return self._count

    def training_part(self) -> ImageSet:
        """The pictures that models are trained on; a set without parts is its own."""
        return self if self.training is None else self.training()

    def pictures(self) -> list[Pixels]:
        """Every picture (H, W, C) as it is held."""
        return self._natives if self._squares is None else list(self._squares.cpu().numpy())

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` pictures with replacement, (count, C, H, W) in [-1, 1] on `device`."""
        chosen = torch.randint(len(self), (count,), generator=rng)
        if self._squares is not None:
            self._squares = self._squares.to(device)
            pixels = self._squares[chosen.to(device)]
        else:
            pixels = torch.from_numpy(self._crops(chosen, rng)).to(device)
        images = (
            pixels.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1.0)
        )  # (B, H, W, C) -> (B, C, H, W)
        if self.flip:
            mirrored = torch.rand(count, generator=rng).lt(0.5).to(device)
            images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        labels = None if self.labels is None else self.labels[chosen].to(device)
        return Batch(images.contiguous(), labels)

    def _crops(self, chosen: Tensor, rng: torch.Generator) -> NDArray[np.uint8]:
        assert self.crop is not None
        places = torch.rand(len(chosen), 2, generator=rng).tolist()
        crops = []
        for index, (down, right) in zip(chosen.tolist(), places, strict=True):
            picture = self._natives[index]
            top = int(down * (picture.shape[0] - self.crop + 1))
            left = int(right * (picture.shape[1] - self.crop + 1))
            crops.append(picture[top : top + self.crop, left : left + self.crop])
        return np.stack(crops)


def read_file(path: Path) -> bytes:
    """The bytes of a training file; raises DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}.", "Remove it or fetch it again."
        ) from error


def read_text(path: Path) -> str:
    """The text of a table; raises DataError for one that is not UTF-8."""
    try:
        return read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error.reason}.", "Save it as UTF-8.") from error


def decode(content: bytes, name: str, channels: int = 3) -> Pixels:
    """The upright pixels (H, W, C) of one encoded training picture, RGB or grey."""
    try:
        _, pixels = decode_image(content)
    except MediaError as error:
        raise DataError(
            f"{name} cannot be trained on. {error.message}", "Remove it or fetch it again."
        ) from error
    if channels == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    return pixels


def _crop(fit: Fit, size: int) -> int | None:
    return size if fit == "crop" else None


def _large_enough(pictures: Iterable[Pixels], crop: int) -> list[Pixels]:
    kept = [picture for picture in pictures if min(picture.shape[:2]) >= crop]
    if not kept:
        raise DataError(
            f"No picture has both sides of at least {crop} pixels.",
            "Choose a smaller crop or other pictures.",
        )
    return kept


def _channels(picture: Pixels, channels: int) -> Pixels:
    return np.repeat(picture, channels, axis=2) if channels != picture.shape[2] else picture


def fitted(picture: Pixels, size: int, fit: Fit, centre: float = 1.0) -> Pixels:
    """The central square of a picture (H, W, C) at `size` pixels a side; with crops, the picture whole."""
    if fit == "crop":
        return picture
    return central_square(picture, size, centre)
