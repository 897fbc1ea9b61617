"""What the systems share that fill holes in a picture: masks, sampling, what they export and are judged by.

Their generator takes `image` (B, 3, H, W) and `mask` (B, 1, H, W), hides the hole from itself and answers
with the picture whose known pixels are the given ones to the bit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from generators.contract import AdversarialModel, Batch, Input, Task, TrainingData

SAMPLES = 512  # for the figures
BATCH = 32


class HoleModel(AdversarialModel):
    """A generator of (image, mask)."""

    task: ClassVar[Task] = "inpainting"

    @abstractmethod
    def masks(self, count: int, rng: torch.Generator) -> Tensor:
        """The holes (count, 1, H, W) this system is trained and judged on."""

    @abstractmethod
    def judged(self, images: Tensor, masks: Tensor, truth: Tensor) -> Tensor:
        """The discriminator's logits of pictures with holes at `masks`, where `truth` was photographed."""

    def critic(self, batch: Batch) -> Callable[[Tensor], Tensor]:
        # The penalty has no holes of its own: any will do, as long as a resumed run finds the same.
        rng = torch.Generator(batch.images.device).manual_seed(self.images_seen)
        masks = self.masks(batch.size, rng)
        return lambda images: self.judged(images, masks, batch.images)

    def sample(self, batch: Batch | None, count: int, rng: torch.Generator) -> Tensor:
        images = self._smooth(count, rng) if batch is None else batch.images[:count]
        filled: Tensor = self.generator(images, self.masks(count, rng))
        return filled

    def shown(self, batch: Batch) -> Tensor:
        return batch.images

    def export_inputs(self, count: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(0)
        return {"image": self._smooth(count, rng), "mask": self.masks(count, rng)}

    def inputs(self) -> dict[str, Input]:
        return {"image": Input("image"), "mask": Input("mask")}

    def dynamic_axes(self) -> tuple[str, ...]:
        return ("batch", "height", "width")

    def figures(self, held_out: TrainingData, rng: torch.Generator) -> dict[str, float]:
        places = torch.Generator().manual_seed(0)
        found = []
        for _ in range(SAMPLES // BATCH):
            truth = held_out.draw(BATCH, places, rng.device).images
            masks = self.masks(BATCH, rng)
            found.append(sums(self.generator(truth, masks), truth, masks))
        return figures_of(torch.stack(found).sum(0))

    def _smooth(self, count: int, rng: torch.Generator) -> Tensor:
        """Pictures of soft blobs, where there are none to fill."""
        channels, height, width = self.image_shape
        coarse = torch.rand(count, channels, 4, 4, generator=rng, device=rng.device) * 2 - 1
        return F.interpolate(coarse, size=(height, width), mode="bilinear")


def sums(filled: Tensor, truth: Tensor, masks: Tensor) -> Tensor:
    """What `figures_of` needs of a batch, as sums (7,): they add up over batches."""
    error = (filled - truth) / 2  # of the full range of an image
    known = 1 - masks
    mean = (truth * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
    return torch.stack(
        [
            masks.sum() * truth.shape[1],
            (error.abs() * masks).sum(),
            (error.square() * masks).sum(),
            ((mean - truth).abs() / 2 * masks).sum(),
            _crossing(filled, masks),
            _crossing(truth, masks),
            ((filled != truth).any(1, keepdim=True) & (masks < 0.5)).sum().float(),
        ]
    ).double()


def figures_of(totals: Tensor) -> dict[str, float]:
    """The figures of filled holes from the sums of `sums`.

    `hole_l1` is the mean error in the hole as a share of the range, `hole_psnr` in dB; `hole_l1_ratio` is
    that error over the error of the mean colour of what is known. `seam_ratio` is the mean step from a
    known pixel to a made neighbour over the same step in the photograph. `changed_pixels` counts known
    pixels that are not what they were.
    """
    size, absolute, square, plain, made, real, changed = totals
    found = {
        "hole_l1": absolute / size,
        "hole_psnr": -10 * torch.log10(square / size),
        "hole_l1_ratio": absolute / plain,
        "seam_ratio": made / real,
        "changed_pixels": changed,
    }
    return {name: float(value) for name, value in found.items()}


def _crossing(images: Tensor, masks: Tensor) -> Tensor:
    """The sum of the absolute steps between neighbours of which one is known and one made."""
    total = images.new_zeros(())
    for axis in (2, 3):
        step = images.diff(dim=axis).abs()
        edge = masks.diff(dim=axis).abs()
        total = total + (step * edge).sum()
    return total
