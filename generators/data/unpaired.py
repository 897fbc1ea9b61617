"""Pictures of two domains without pairs, for CycleGAN: `horse2zebra`, or a folder with `A` and `B`.

`horse2zebra-close` is the same pictures seen through windows of half their side. A folder may also be
laid out as the released data sets are, with `trainA`, `trainB`, `testA` and `testB`; then its held-out
parts are used as such.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.memory import decode
from generators.data.views import pictures_of, read, room, scaled, to_tensor, view

# How many times larger than the window the pictures are held: in close ones stripes are wide enough to learn
# from windows of 64 px.
SETS = {"horse2zebra": 1, "horse2zebra-close": 2}


class UnpairedSet:
    """Two domains in memory: `extra["other"]` of a draw is from the first, `images` from the second.

    So `images` is what the forward translation makes, and `names["domains"]` names both in that order.
    `jitter` is that of `views.py`, and a window's side is a `zoom`-th of a picture's. `reference` is the
    train part beside a held-out one, for judges that learn from real pictures.
    """

    def __init__(
        self,
        first: Sequence[Pixels],
        second: Sequence[Pixels],
        *,
        size: int,
        jitter: bool,
        zoom: int = 1,
        domains: tuple[str, str] = ("A", "B"),
        sha256: dict[str, str] | None = None,
        reference: UnpairedSet | None = None,
    ) -> None:
        for domain, pictures in zip(domains, (first, second), strict=True):
            if len(pictures) < 2:
                raise DataError(
                    f"The domain {domain} has {len(pictures) or 'no'} picture.",
                    "Give at least two pictures of each domain.",
                )
        self.size, self.jitter, self.sha256 = size, jitter, sha256 or {}
        self.names: Mapping[str, tuple[str, ...]] = {"domains": domains}
        self.reference = self if reference is None else reference
        shorter = zoom * room(size, jitter=jitter)
        self.first = [scaled(picture, shorter) for picture in first]
        self.second = [scaled(picture, shorter) for picture in second]

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` pictures of each domain with replacement, (count, 3, size, size) in [-1, 1] on `device`."""
        drawn = []
        for pictures in (self.first, self.second):
            chosen = torch.randint(len(pictures), (count,), generator=rng).tolist()
            places = torch.rand(count, 3, generator=rng).tolist()
            views = [
                view(pictures[index], self.size, place if self.jitter else None)
                for index, place in zip(chosen, places, strict=True)
            ]
            drawn.append(to_tensor(views).to(device))
        return Batch(drawn[1], extra={"other": drawn[0]})


def open_set(data: str, image_shape: tuple[int, int, int], *, split: str) -> UnpairedSet:
    """The part `split` of "horse2zebra" or of a folder; a folder of A and B has no parts."""
    size, jitter = image_shape[1], split == "train"
    reference = None if jitter else open_set(data, image_shape, split="train")
    if data in SETS:
        sides: dict[str, list[Pixels]] = {"A": [], "B": []}
        for item in shards.load("horse2zebra", split):
            sides[item.meta["domain"]].append(decode(item.data, item.key))
        return UnpairedSet(
            sides["A"],
            sides["B"],
            size=size,
            jitter=jitter,
            zoom=SETS[data],
            domains=("horse", "zebra"),
            sha256=shards.sha256_of("horse2zebra"),
            reference=reference,
        )
    folders = _sides(Path(data), split)
    digest = hashlib.sha256()
    first, second = ([read(path, digest) for path in pictures_of(folder)] for folder in folders)
    sha256 = {Path(data).name: digest.hexdigest()}
    return UnpairedSet(first, second, size=size, jitter=jitter, sha256=sha256, reference=reference)


def _sides(folder: Path, split: str) -> tuple[Path, Path]:
    for prefix in ("train", "") if split == "train" else ("test", "", "train"):
        first, second = folder / f"{prefix}A", folder / f"{prefix}B"
        if first.is_dir() and second.is_dir():
            return first, second
    raise DataError(
        f"{str(folder)!r} is neither a known set nor a folder with a folder for each domain.",
        f"Known sets: {', '.join(SETS)}. A folder needs A and B, or trainA, trainB, testA and testB.",
    )
