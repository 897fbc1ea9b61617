"""DiffAugment: what each change may do, that gradients pass, and that both players see the same law."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evidence.errors import UsageError
from generators.training.augment import augment, augmented


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(count: int = 64) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=_rng(9)) * 2 - 1


def test_no_policy_changes_nothing() -> None:
    assert torch.equal(augment(_images(), "", _rng()), _images())


def test_translation_moves_by_at_most_an_eighth_and_fills_with_grey() -> None:
    point = torch.zeros(200, 1, 16, 16)
    point[:, :, 8, 8] = 1.0
    moved = augment(point, "translation", _rng())
    places = moved[:, 0].nonzero()[:, 1:]
    assert len(places) == 200  # the point stays inside
    assert set(places.flatten().tolist()) == {6, 7, 8, 9, 10}
    assert moved.sum() == 200


def test_cutout_blanks_one_rectangle_of_at_most_half_the_side() -> None:
    cut = augment(torch.ones(200, 1, 16, 16), "cutout", _rng())
    holes = (cut == 0).flatten(1).sum(dim=1)
    assert holes.max() == 8 * 8
    assert holes.min() >= 4 * 4  # a centre on the corner still cuts a quarter


def test_colour_changes_keep_the_pattern_of_a_grey_image() -> None:
    grey = _images().mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    changed = augment(grey, "color", _rng())
    # Brightness adds, saturation leaves grey alone, contrast scales by 0.5 to 1.5 round the mean.
    ratio = (changed - changed.mean(dim=(1, 2, 3), keepdim=True)) / (
        grey - grey.mean(dim=(1, 2, 3), keepdim=True)
    )
    spread = ratio.flatten(1).amax(dim=1) - ratio.flatten(1).amin(dim=1)
    assert spread.max() < 1e-2
    assert 0.5 <= ratio.median() <= 1.5


def test_the_change_depends_on_the_generator_argument_not_on_the_image() -> None:
    # The law is the same for reals and fakes, so imitating it gains the generator nothing.
    first, second = (
        augment(_images(), "translation,cutout", _rng(3)),
        augment(-_images(), "translation,cutout", _rng(3)),
    )
    assert torch.equal(first, -second)


def test_gradients_pass_through_every_change() -> None:
    images = _images().requires_grad_(True)
    augment(images, "color,translation,cutout", _rng()).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_only_within_the_block_does_the_discriminator_see_changed_images() -> None:
    seen: list[Tensor] = []

    class Watcher(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images.sum()

    watcher, images = Watcher(), _images()
    with augmented(watcher, "color", _rng()):
        watcher(images)
    watcher(images)
    assert not torch.equal(seen[0], images)
    assert torch.equal(seen[1], images)


def test_an_unknown_change_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="color, translation, cutout"):
        augment(_images(), "rotation", _rng())
