"""The facts of GANimation's paper and its released code, held by the `published` preset."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from generators import catalogue
from generators.contract import Batch
from generators.systems import ganimation


def _meta() -> ganimation.Ganimation:
    preset = ganimation.PRESETS["published"]
    with torch.device("meta"):
        return ganimation.Ganimation(preset.config, preset.optimisation)


def _smoke() -> ganimation.Ganimation:
    model = catalogue.create("ganimation", "smoke")
    assert isinstance(model, ganimation.Ganimation)
    return model


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _all(kind: type[nn.Module], net: nn.Module) -> list[nn.Module]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def test_the_editor_has_the_released_layers() -> None:
    generator = _meta().generator
    first, *downs = _all(nn.Conv2d, generator.down)
    assert (first.in_channels, first.out_channels, first.kernel_size) == (3 + 17, 64, (7, 7))
    assert [(layer.out_channels, layer.kernel_size, layer.stride) for layer in downs] == [
        (128, (4, 4), (2, 2)),
        (256, (4, 4), (2, 2)),
    ]
    assert len(generator.blocks) == 6
    ups = _all(nn.ConvTranspose2d, generator)
    assert [(layer.out_channels, layer.kernel_size, layer.stride) for layer in ups] == [
        (128, (4, 4), (2, 2)),
        (64, (4, 4), (2, 2)),
    ]
    assert generator.colour.weight.shape == (3, 64, 7, 7)
    assert generator.attention.weight.shape == (1, 64, 7, 7)
    assert {layer.affine for layer in _all(nn.InstanceNorm2d, generator)} == {True}
    assert {layer.bias for layer in _all(nn.Conv2d, generator) + ups} == {None}
    # 62 720 + 131 072 + 524 288 down, 6 x 1 179 648 in blocks, the same again up, 12 544 in both heads, and
    # two for each of 64 + 128 + 256 + 6 x 512 + 128 + 64 normed channels.
    assert _weights(generator) == 8_471_296


def test_the_critic_has_the_released_layers_and_no_norm() -> None:
    critic = _meta().discriminator
    convolutions = _all(nn.Conv2d, critic.layers)
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1024, 2048]
    assert {(layer.kernel_size, layer.stride) for layer in convolutions} == {((4, 4), (2, 2))}
    assert {layer.negative_slope for layer in _all(nn.LeakyReLU, critic)} == {0.01}
    assert not _all(nn.InstanceNorm2d, critic) + _all(nn.BatchNorm2d, critic)
    assert critic.patches.weight.shape == (1, 2048, 3, 3)
    assert critic.units.weight.shape == (17, 2048, 2, 2)
    assert _weights(critic) == 44_860_352
    scores, units = critic(torch.empty(2, 3, 128, 128, device="meta"))
    assert (scores.shape, units.shape) == ((2, 2, 2), (2, 17))


def test_ganimation_trains_as_released() -> None:
    preset = ganimation.PRESETS["published"]
    config, options = preset.config, preset.optimisation
    assert config.unit_weight == 4000 / options.batch  # the code divides the mean by the batch once more
    assert (config.cycle_weight, config.mask_weight, config.smooth_weight) == (10, 0.1, 1e-5)
    assert config.target_noise == 0.1
    assert (options.batch, options.generator_lr, options.discriminator_lr) == (25, 1e-4, 1e-4)
    assert (options.betas, options.discriminator_steps, options.generator_steps) == ((0.5, 0.999), 5, 1)
    assert (options.penalty, options.penalty_weight, options.penalty_interval) == ("gp", 10, 1)
    assert options.ema_half_life_images == 0
    # 20 epochs of 200 000 faces at the full rate, 10 down to 0.
    rates = [options.at(epoch * 200_000).generator_lr for epoch in (0, 20, 25, 30)]
    assert rates == pytest.approx([1e-4, 1e-4, 5e-5, 0])


def test_the_mask_keeps_the_source_as_in_the_code_not_as_in_the_paper() -> None:
    model = _smoke().eval()
    faces, units = torch.rand(2, 3, 32, 32), torch.rand(2, 17)
    nn.init.zeros_(model.generator.attention.weight)  # A = 1/2 everywhere
    nn.init.zeros_(model.generator.colour.weight)  # C = 0
    edited, attention = model.generator.edited(faces, units)
    assert torch.equal(attention, torch.full((2, 1, 32, 32), 0.5))
    assert torch.equal(edited, faces / 2)
    model.generator.attention.register_forward_hook(lambda *_: torch.full((2, 1, 32, 32), 100.0))
    assert torch.equal(model.generator(faces, units), faces)


def test_the_losses_are_the_sum_of_their_weighted_parts() -> None:
    model = _smoke().train()
    config = model.config
    batch = Batch(torch.rand(4, 3, 32, 32) * 2 - 1, extra={"units": torch.rand(4, 17)})
    loss = model.generator_loss(batch, torch.Generator().manual_seed(0))
    masks: list[Tensor] = []
    plain = model.generator.edited

    def kept(image: Tensor, units: Tensor) -> tuple[Tensor, Tensor]:
        edited, attention = plain(image, units)
        masks.append(attention.detach())
        return edited, attention

    model.generator.edited = kept
    again = model.generator_loss(batch, torch.Generator().manual_seed(0))
    assert torch.equal(loss.total, again.total)
    rough = sum(
        float((mask[..., 1:] - mask[..., :-1]).abs().sum() + (mask[:, :, 1:] - mask[:, :, :-1]).abs().sum())
        for mask in masks
    )
    parts = {name: float(value.detach()) for name, value in loss.parts.items()}
    expected = parts["adversarial"] + 160 * parts["units_of_fakes"] + 10 * parts["cycle"]
    expected += 0.1 * sum(float(mask.mean()) for mask in masks) + config.smooth_weight * rough
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-5)  # sums in another order
