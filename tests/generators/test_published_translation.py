"""The facts of the pix2pix and CycleGAN papers and their released code, held by the `published` presets."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from generators.catalogue import create
from generators.data.views import room
from generators.networks.patch import PatchDiscriminator, receptive_field
from generators.systems import cyclegan, pix2pix


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _meta(name: str) -> pix2pix.Pix2pix | cyclegan.CycleGan:
    with torch.device("meta"):
        if name == "pix2pix":
            preset = pix2pix.PRESETS["published"]
            return pix2pix.Pix2pix(preset.config, preset.optimisation)
        preset = cyclegan.PRESETS["published"]
        return cyclegan.CycleGan(preset.config, preset.optimisation)


def _all(kind: type[nn.Module], net: nn.Module) -> list[nn.Module]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def test_the_u_net_is_the_released_one_for_256_pixels() -> None:
    generator = _meta("pix2pix").generator
    downs = [layer.out_channels for layer in _all(nn.Conv2d, generator)]
    ups = [layer.out_channels for layer in _all(nn.ConvTranspose2d, generator)]
    assert downs == [64, 128, 256, 512, 512, 512, 512, 512]
    assert ups == [512, 512, 512, 512, 256, 128, 64, 3]
    convolutions = _all(nn.Conv2d, generator) + _all(nn.ConvTranspose2d, generator)
    assert {(layer.kernel_size, layer.stride) for layer in convolutions} == {((4, 4), (2, 2))}
    assert _weights(generator) == pytest.approx(54.414e6, rel=1e-3)


def test_dropout_stands_on_the_first_three_decoder_levels_alone() -> None:
    generator = _meta("pix2pix").generator
    dropped = [bool(_all(nn.Dropout, level)) for level in generator.up]
    assert dropped == [True] * 3 + [False] * 5
    assert {layer.p for layer in _all(nn.Dropout, generator)} == {0.5}


def test_the_patch_discriminator_sees_70_pixels_and_has_the_released_widths() -> None:
    assert [receptive_field(layers) for layers in (2, 3)] == [34, 70]
    critic = _meta("pix2pix").discriminator
    convolutions = _all(nn.Conv2d, critic)
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1]
    assert [layer.stride[0] for layer in convolutions] == [2, 2, 2, 1, 1]
    assert convolutions[0].in_channels == 6  # the source and the picture
    assert _weights(critic) == pytest.approx(2.769e6, rel=1e-3)
    assert critic(
        torch.empty(2, 3, 256, 256, device="meta"), torch.empty(2, 3, 256, 256, device="meta")
    ).shape == (2, 30, 30)


def test_one_logit_sees_exactly_its_receptive_field() -> None:
    # Without norms, which spread a pixel over the picture, the gradient of a logit is that field.
    critic = PatchDiscriminator(3, width=2)
    for name, layer in critic.layers.named_children():
        if isinstance(layer, nn.InstanceNorm2d):
            critic.layers[int(name)] = nn.Identity()
    images = torch.zeros(1, 3, 256, 256, requires_grad=True)
    torch.autograd.backward(critic(images)[0, 15, 15])
    assert images.grad is not None
    seen = images.grad.abs().sum((0, 1)) > 0
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (70, 70)


def test_pix2pix_trains_as_published() -> None:
    preset = pix2pix.PRESETS["published"]
    options = preset.optimisation
    assert preset.config.l1_weight == 100
    assert (options.batch, options.generator_lr, options.discriminator_lr) == (1, 2e-4, 2e-4)
    assert (options.betas, options.ema_half_life_images) == ((0.5, 0.999), 0)
    assert options.total_images == 200 * 400
    assert room(256, jitter=True) == 286  # of which a window of 256 is cut
    # Half the epochs at the full rate, then a line to 0.
    rates = [options.at(epoch * 400).generator_lr for epoch in (0, 100, 150, 200)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 0])


def test_the_translators_are_the_released_ones_with_nine_blocks() -> None:
    generator = _meta("cyclegan").generator
    assert _weights(generator.forwards) == pytest.approx(11.378e6, rel=1e-3)
    assert len(generator.forwards.layers) == 3 + 6 + 9 + 6 + 1
    ups = _all(nn.ConvTranspose2d, generator.forwards)
    assert [(layer.in_channels, layer.out_channels) for layer in ups] == [(256, 128), (128, 64)]
    assert {(layer.kernel_size, layer.stride, layer.output_padding) for layer in ups} == {
        ((3, 3), (2, 2), (1, 1))
    }
    norms = _all(nn.InstanceNorm2d, generator)
    assert not any(norm.affine or norm.track_running_stats for norm in norms)
    critic = _meta("cyclegan").discriminator.of_first
    assert _weights(critic) == pytest.approx(2.765e6, rel=1e-3)


def test_cyclegan_trains_as_published() -> None:
    preset = cyclegan.PRESETS["published"]
    options, config = preset.optimisation, preset.config
    assert (config.cycle_weight, config.identity_weight, config.pool) == (10, 5, 50)
    assert (options.batch, options.generator_lr, options.discriminator_lr) == (1, 2e-4, 2e-4)
    assert (options.betas, options.decay_from) == ((0.5, 0.999), 0.5)
    assert options.generator_first
    assert options.total_images == 200 * 1334


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_first_weights_are_drawn_as_published(name: str) -> None:
    model = create(name, "smoke", width=16)
    weight = torch.cat([layer.weight.flatten() for layer in _all(nn.Conv2d, model.generator)])
    # A hundred thousand draws hold the deviation to within a percent.
    assert weight.std().item() == pytest.approx(0.02, rel=0.01)
