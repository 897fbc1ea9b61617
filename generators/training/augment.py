"""DiffAugment: random, differentiable changes to all that enters the discriminator, reals and fakes alike.

Zhao et al. 2020 (2006.10738): colour, translation by up to 1/8 and a cutout of half the side. Reals and
fakes are drawn from the same distribution of changes, so the generator cannot gain by imitating them;
with very little data cutout still leaks (mit-han-lab/data-efficient-gans, issue 84).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from evidence.errors import UsageError


def augment(images: Tensor, policy: str, rng: torch.Generator) -> Tensor:
    """`images` (B, C, H, W) changed by each named step of `policy`, e.g. "color,translation"."""
    for name in filter(None, policy.split(",")):
        if name not in _STEPS:
            raise UsageError(f"There is no augmentation {name!r}.", f"Known: {', '.join(_STEPS)}.")
        images = _STEPS[name](images, rng)
    return images


@contextmanager
def augmented(discriminator: nn.Module, policy: str, rng: torch.Generator) -> Iterator[None]:
    """Within the block whatever enters `discriminator` is augmented first, penalties included.

    Penalties then differentiate through the change, as in StyleGAN2-ADA.
    """
    if not policy:
        yield
        return

    def before(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (augment(inputs[0], policy, rng), *inputs[1:])

    handle = discriminator.register_forward_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


def _uniform(images: Tensor, rng: torch.Generator, low: float, high: float) -> Tensor:
    drawn = torch.rand(images.shape[0], 1, 1, 1, generator=rng, device=images.device)
    return drawn * (high - low) + low


def _color(images: Tensor, rng: torch.Generator) -> Tensor:
    images = images + _uniform(images, rng, -0.5, 0.5)  # brightness
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * _uniform(images, rng, 0.0, 2.0)  # saturation
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(images, rng, 0.5, 1.5)  # contrast


def _translation(images: Tensor, rng: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    reach_y, reach_x = round(height / 8), round(width / 8)
    shift_y = torch.randint(-reach_y, reach_y + 1, (count, 1, 1), generator=rng, device=rng.device)
    shift_x = torch.randint(-reach_x, reach_x + 1, (count, 1, 1), generator=rng, device=rng.device)
    rows = torch.arange(height, device=images.device)[None, :, None] + shift_y + reach_y
    columns = torch.arange(width, device=images.device)[None, None, :] + shift_x + reach_x
    padded = pad(images, (reach_x, reach_x, reach_y, reach_y)).permute(0, 2, 3, 1)
    batch = torch.arange(count, device=images.device)[:, None, None]
    return padded[batch, rows, columns].permute(0, 3, 1, 2)  # (B, H, W, C) -> (B, C, H, W)


def _cutout(images: Tensor, rng: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    centre_y = torch.randint(0, height + 1, (count, 1, 1), generator=rng, device=rng.device)
    centre_x = torch.randint(0, width + 1, (count, 1, 1), generator=rng, device=rng.device)
    rows = torch.arange(height, device=images.device)[None, :, None]
    columns = torch.arange(width, device=images.device)[None, None, :]
    inside_y = (rows >= centre_y - height // 4) & (rows < centre_y + height // 4)
    inside_x = (columns >= centre_x - width // 4) & (columns < centre_x + width // 4)
    return images * ~(inside_y & inside_x)[:, None]


_STEPS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}
