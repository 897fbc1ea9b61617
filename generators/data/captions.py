"""Pictures with captions, for TAC-GAN and AttnGAN.

`faces-celeba` has two captions a face, written from measurements of smile, mouth, brows, eyes and head;
`captions` is Flickr8k's, five by people. A folder holds pictures and captions.jsonl, a line of
{"file": ..., "captions": [...]} for each, or captions.txt, a line of FILE, a tab and a caption. A mirrored
picture has its caption mirrored too: left and right change places.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.contract import Batch
from generators.data import shards
from generators.data.memory import decode, fitted, read_text
from generators.data.views import read
from generators.text.vocabulary import classes, mirrored, split, tokenise, vocabulary

SETS = ("faces-celeba", "captions")
LONGEST = 24  # words; what a caption says beyond them is not read

_FACES = "faces/captions-celeba.jsonl"
_CENTRE = {"faces-celeba": 0.8}  # the share of the picture that is kept, as for faces without captions


@dataclass(frozen=True)
class Captioned:
    """A square picture (S, S, 3) and what is said of it."""

    pixels: Pixels
    captions: Sequence[str]


class CaptionSet:
    """Captioned pictures in memory; `extra["tokens"]` of a draw is one caption of each, at random.

    `names["words"]` are the words by number, `names["classes"]` those of them that tell pictures apart.
    `spoken` are the captions of the part that models are trained on, which decide both; `reference` opens
    that part, for judges that learn from it.
    """

    def __init__(
        self,
        pictures: Sequence[Captioned],
        *,
        spoken: Sequence[Sequence[str]] | None = None,
        sha256: dict[str, str] | None = None,
        reference: partial[CaptionSet] | None = None,
    ) -> None:
        if len(pictures) < 2:
            raise DataError(
                f"There is {len(pictures) or 'no'} picture with a caption.", "Give some hundreds of them."
            )
        self.sha256, self._reference = sha256 or {}, reference
        spoken = spoken or [picture.captions for picture in pictures]
        words = vocabulary(caption for captions in spoken for caption in captions)
        self.names: Mapping[str, tuple[str, ...]] = {"words": words, "classes": classes(spoken)}
        self.pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures]))  # (N, S, S, 3)
        self.counts = torch.tensor([len(picture.captions) for picture in pictures])
        self.starts = self.counts.cumsum(0) - self.counts
        said = [caption for picture in pictures for caption in picture.captions]
        # (captions, 2, T): as written, and as the mirror image has it.
        self.tokens = torch.tensor(
            [[tokenise(text, words, LONGEST) for text in (caption, mirrored(caption))] for caption in said]
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def reference(self) -> CaptionSet:
        """The part that models are trained on; a set without parts is its own."""
        return self if self._reference is None else self._reference()

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        """`count` pictures with replacement, (count, 3, S, S) in [-1, 1], with tokens (count, T)."""
        chosen = torch.randint(len(self), (count,), generator=rng)
        picks = torch.rand(count, 2, generator=rng)
        which = self.starts[chosen] + (picks[:, 0] * self.counts[chosen]).long()
        turned = picks[:, 1] < 0.5
        tokens = self.tokens[which, turned.long()]
        images = self.pixels[chosen].permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
        images = torch.where(turned[:, None, None, None], images.flip(-1), images).contiguous()
        return Batch(images.to(device), extra={"tokens": tokens.to(device)})


def open_set(data: str, image_shape: tuple[int, int, int], *, split: str) -> CaptionSet:
    """The part `split` of the set that `data` names, or a folder, which has no parts; DataError if none."""
    size = image_shape[1]
    if data in SETS:
        return _shared(data, size, split)
    if not Path(data).is_dir():
        raise DataError(
            f"{data!r} is neither a folder nor a set with captions.", f"Known: {', '.join(SETS)}."
        )
    pictures, digests = _folder(Path(data), size)
    return CaptionSet(pictures, sha256=digests)


def _shared(name: str, size: int, split: str) -> CaptionSet:
    digests, told = shards.sha256_of(name), {}
    if name == "faces-celeba":
        path = shards.data_root() / _FACES
        told = {row["key"]: row["captions"] for row in _rows(path)}
        digests |= {_FACES: hashlib.sha256(path.read_bytes()).hexdigest()}
    pictures, spoken = [], []
    for item in shards.load(name):
        captions = told.get(item.key) or item.meta.get("captions") or []
        if captions and item.split == "train":
            spoken.append(captions)
        if captions and item.split == split:
            pixels = fitted(decode(item.data, item.key), size, "square", _CENTRE.get(name, 1.0))
            pictures.append(Captioned(pixels, captions))
    reference = None if split == "train" else partial(_shared, name, size, "train")
    return CaptionSet(pictures, spoken=spoken, sha256=digests, reference=reference)


def _folder(folder: Path, size: int) -> tuple[list[Captioned], dict[str, str]]:
    tables = [folder / name for name in ("captions.jsonl", "captions.txt") if (folder / name).is_file()]
    if not tables:
        raise DataError(
            f"The folder {folder} has no captions.jsonl and no captions.txt.",
            'Write a line {"file": "a.jpg", "captions": ["..."]} for each picture.',
        )
    table = tables[0]
    digest = hashlib.sha256(table.read_bytes())
    pictures = []
    for file, captions in _told(table).items():
        path = folder / file
        if not path.is_file():
            raise DataError(
                f"{table} names {file!r}, which is not there.",
                "Name pictures by their path in the folder.",
            )
        if not any(split(caption) for caption in captions):
            raise DataError(f"{table} has no caption for {file!r}.", "Write one, or take the line out.")
        pictures.append(Captioned(fitted(read(path, digest), size, "square"), captions))
    return pictures, {folder.name: digest.hexdigest()}


def _told(table: Path) -> dict[str, list[str]]:
    """The captions of each file a table names."""
    told: dict[str, list[str]] = defaultdict(list)
    if table.suffix == ".jsonl":
        for row in _rows(table):
            told[row["file"]] += row["captions"]
    else:
        for line in filter(None, read_text(table).splitlines()):
            file, _, caption = line.partition("\t")
            told[file.partition("#")[0]].append(caption)
    return told


def _rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a table of captions; DataError names the first that is none."""
    if not path.is_file():
        raise DataError(f"The captions {path} are missing.", "Complete the data folder.")
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            row = json.loads(line)
            whole = isinstance(row["captions"], list) and ("file" in row or "key" in row)
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise DataError(
                f"Line {number} of {path} is no caption.", 'Write {"file": "a.jpg", "captions": ["..."]}.'
            )
        rows.append(row)
    return rows
