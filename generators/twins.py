"""The trained decoders of the reconstruction family: which there are, and a picture rebuilt by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from evidence.errors import DataError
from evidence.medium import Pixels
from generators.delivery import GRID
from generators.systems.reconstruction import (
    HELD_OUT_FAMILIES,
    Autoencoder,
    ReconstructionConfig,
    load_member,
)
from generators.training.checkpoint import RECORD

# Added on every side, so that a decoder's own padding stays off the picture.
MARGIN = 16


@dataclass(frozen=True)
class Member:
    """A decoder of the family, or another forger, as the manifest names it.

    `factor` is by how much a decoder enlarges, 0 for others; `kind` says how the forger works.
    """

    name: str
    family: str
    upsampler: str
    factor: int = 0
    kind: str = "reconstruction"

    @property
    def held_out(self) -> bool:
        return self.family in HELD_OUT_FAMILIES


class Family:
    """The trained members in a folder of runs; called with a member's name and pixels it rebuilds them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[str, Autoencoder] = {}

    def members(self) -> list[Member]:
        """Every member whose training has ended, by name; raises DataError when there is none."""
        found = []
        for record in sorted(self.folder.glob(f"*/{RECORD}")):
            config = ReconstructionConfig(**json.loads(record.read_text())["config"])
            found.append(Member(record.parent.name, config.family, config.upsampler, config.factor))
        if not found:
            raise DataError(
                f"{self.folder} holds no trained decoder.", "Run python -m benchmarks.train_family first."
            )
        return found

    @torch.inference_mode()
    def __call__(self, name: str, pixels: Pixels) -> Pixels:
        """Pixels (H, W, 3) uint8 rebuilt by member `name` at native size."""
        if name not in self._loaded:
            self._loaded[name] = load_member(self.folder / name)[1].to(memory_format=torch.channels_last)
        height, width = pixels.shape[:2]
        below, right = -height % GRID + MARGIN, -width % GRID + MARGIN
        padded = cv2.copyMakeBorder(pixels, MARGIN, below, MARGIN, right, cv2.BORDER_REFLECT_101)
        images = torch.from_numpy(padded).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)
        twin = self._loaded[name](images)[0].permute(1, 2, 0).add(1).mul(127.5).round().clamp(0, 255)
        whole: Pixels = twin.to(torch.uint8).numpy()
        return whole[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
