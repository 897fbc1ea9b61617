"""The count of modes: a known answer for the count itself, and the R3 loss on 25 Gaussians."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmarks.modes import CENTRES, DEVIATION, Gaussians, Stacks, named, points
from generators.data.memory import ImageSet


class _Brightness(nn.Module):
    """Ten levels of grey to ten classes."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = images.mean(dim=(1, 2, 3)).add(1).mul(4.5).round().long()
        return nn.functional.one_hot(level, 10).float()


def test_a_stack_is_named_by_its_colours_in_their_order() -> None:
    levels = torch.tensor([[3, 1, 4], [3, 1, 4], [0, 0, 9]])
    images = (levels / 4.5 - 1)[:, :, None, None].expand(-1, -1, 28, 28)

    counts = named(_Brightness(), images)  # type: ignore[arg-type]

    assert counts[314] == 2
    assert counts[9] == 1
    assert counts.sum() == 3


def test_points_stand_around_their_centres() -> None:
    drawn = Gaussians(CENTRES["25 gaussians on a grid"]).draw(5_000, torch.Generator().manual_seed(0)).images

    distances = torch.cdist(drawn.flatten(1), CENTRES["25 gaussians on a grid"]).min(dim=1).values

    # E r^2 = 2 x deviation^2; 5 000 draws hold it to 1.4 % at one deviation.
    assert distances.square().mean().item() == pytest.approx(2 * DEVIATION**2, rel=0.06)


def test_stacks_are_three_digits_of_the_set() -> None:
    levels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].mul(20).expand(-1, 28, 28, 1)
    drawn = Stacks(ImageSet(levels.numpy())).draw(6, torch.Generator().manual_seed(0)).images

    assert drawn.shape == (6, 3, 28, 28)
    assert (drawn == drawn[:, :, :1, :1]).all()  # each colour is one flat digit
    assert len(set(drawn[:, :, 0, 0].flatten().tolist())) > 3


@pytest.mark.slow
def test_the_r3_loss_hits_all_of_25_gaussians_on_a_ring() -> None:
    # Eight seconds of one core; a quarter of the images of the benchmark.
    found = points("25 gaussians on a ring", seed=0, images=100_000)

    assert found["modes"] == 25
