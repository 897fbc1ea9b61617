"""A memory of earlier fakes for the discriminator (Shrivastava et al. 2016, 1612.07828, section 2.3).

Its pictures are buffers, so they are in the checkpoint and a resumed run shows the same ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Up to `size` earlier pictures (C, H, W); 0 remembers none."""

    held: Tensor
    count: Tensor

    def __init__(self, size: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("held", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Each of `images` (B, C, H, W), or with even odds an earlier one whose place it then takes.

        Until the pool is full, pictures are kept and handed back as they are.
        """
        if self.size == 0:
            return images
        swaps = torch.rand(len(images), generator=rng, device=rng.device).lt(0.5).tolist()
        places = torch.randint(self.size, (len(images),), generator=rng, device=rng.device).tolist()
        given = images.float().clone()
        for n, (swap, place) in enumerate(zip(swaps, places, strict=True)):
            filled = int(self.count)
            if filled < self.size:
                self.held[filled] = given[n]
                self.count += 1
            elif swap:
                earlier = self.held[place].clone()
                self.held[place] = given[n]
                given[n] = earlier
        return given
