"""The residual networks: labels choose gains, spectra are bounded, the projection is an inner product."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from generators.networks.residual import (
    ClassBatchNorm,
    DownBlock,
    ResidualDiscriminator,
    ResidualGenerator,
    UpBlock,
)


def _images(count: int = 4, channels: int = 3, side: int = 8) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _discriminator(**options: object) -> ResidualDiscriminator:
    torch.manual_seed(0)
    settled = {"halvings": 1, "spectral": True, "pooling": "sum", "classes": 3} | options
    return ResidualDiscriminator(3, (6, 5), **settled)  # type: ignore[arg-type]


def test_a_class_chooses_its_gain_and_bias() -> None:
    norm = ClassBatchNorm(2, classes=3).eval()
    x = _images(3, 2)
    plain = norm.norm(x)
    assert torch.equal(norm(x, torch.tensor([0, 1, 2])), plain)  # all gains begin at one
    with torch.no_grad():
        norm.gain.weight[1], norm.bias.weight[1] = 3.0, -1.0
    changed = norm(x, torch.tensor([0, 1, 2]))
    assert torch.equal(changed[[0, 2]], plain[[0, 2]])
    assert torch.allclose(changed[1], 3 * plain[1] - 1)


def test_the_shortcuts_are_those_of_the_papers_although_they_are_taken_at_the_smaller_size() -> None:
    x = _images(2, 4)
    down, up = DownBlock(4, 6, halve=True, first=False, wrap=lambda layer: layer), UpBlock(4, 6).eval()
    residual = down.second(F.relu(down.first(F.relu(x))))
    assert torch.allclose(down(x), F.avg_pool2d(residual + down.shortcut(x), 2), atol=1e-6)
    double = nn.Upsample(scale_factor=2, mode="nearest")
    inner = up.first(double(F.relu(up.before(x))))
    expected = up.second(F.relu(up.between(inner))) + up.shortcut(double(x))
    assert torch.allclose(up(x), expected, atol=1e-6)


def test_no_layer_of_a_spectral_discriminator_stretches_anything() -> None:
    model = _discriminator()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.parametrizations.weight.original.mul_(7)  # type: ignore[union-attr, operator]
    for _ in range(30):  # each pass is one more step of the power iteration
        model(_images(), torch.zeros(4, dtype=torch.long))
    model.eval()
    for layer in [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]:
        top = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert top.item() == pytest.approx(1.0, abs=0.02)


def test_the_label_adds_the_inner_product_of_its_embedding_and_the_pooled_features() -> None:
    model = _discriminator().eval()
    images, labels = _images(), torch.tensor([0, 1, 2, 0])
    pooled = F.relu(model.blocks(images)).sum(dim=(2, 3))
    assert model.classes is not None
    expected = model.head(pooled).squeeze(1) + (model.classes.weight[labels] * pooled).sum(dim=1)
    assert torch.allclose(model(images, labels), expected, atol=1e-5)


def test_mean_pooling_divides_what_sum_pooling_adds_up() -> None:
    total, mean = (_discriminator(pooling=how, classes=0, spectral=False) for how in ("sum", "mean"))
    assert torch.allclose(total(_images()) / 16, mean(_images()), atol=1e-6)  # 4 x 4 places, no bias yet


def test_the_generator_doubles_from_its_bottom() -> None:
    model = ResidualGenerator(5, (8, 6, 4), bottom=7, channels=1, classes=10)
    images = model(torch.randn(3, 5), torch.tensor([0, 1, 9]))
    assert images.shape == (3, 1, 28, 28)
    assert images.abs().max() <= 1
