"""R3GAN's and StyleGAN2's facts, held by their `published` presets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from generators.networks.resblocks import ResidualBlock
from generators.systems import r3gan, stylegan2


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_the_published_r3gan_is_the_released_one_for_64_pixels() -> None:
    config = r3gan.PRESETS["published"].config
    assert (config.image_size, config.latent, config.blocks) == (64, 64, 2)
    with torch.device("meta"):
        generator = r3gan.Generator(config)
        small = r3gan.Generator(replace(config, widths=(768,) * 4))
    assert _weights(small) == pytest.approx(79.1 * 2**20 / 4, rel=1e-3)  # MiB of CIFAR-10's, [768] x 4
    blocks = [layer for layer in generator.modules() if isinstance(layer, ResidualBlock)]
    assert len(blocks) == 10
    mixes = [layer[2] for block in blocks for layer in [block.layers]]
    assert {(layer.in_channels, layer.groups) for layer in mixes} == {(1536, 96), (768, 48)}
    assert not any(isinstance(layer, nn.Conv2d) and layer.bias is not None for layer in generator.modules())


def test_r3gans_schedules_run_from_the_released_starts_to_the_released_ends() -> None:
    options = r3gan.PRESETS["published"].optimisation
    start, end = options.at(0), options.at(20_000_000)
    assert (start.generator_lr, start.betas, start.penalty_weight) == (2e-4, (0.0, 0.9), 2.0)
    assert (end.discriminator_lr, *end.betas, end.penalty_weight) == pytest.approx((5e-5, 0.0, 0.99, 0.2))
    assert (options.penalty, options.penalty_interval, options.batch) == ("r1r2", 1, 256)
    assert options.ema_half_life_images == 500_000


def test_r3gan_starts_as_fixup_says() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(64, expansion=2, group_width=16, blocks=10)
    widen, _, mix, _, narrow = block.layers
    gain = math.sqrt(2 / 1.04) * 10**-0.25
    assert widen.weight.std().item() == pytest.approx(gain / math.sqrt(64), rel=0.03)  # 8 192 draws
    assert mix.weight.std().item() == pytest.approx(gain / math.sqrt(16 * 9), rel=0.03)
    assert not narrow.weight.any()


def test_the_published_stylegan2_is_configuration_f() -> None:
    config = replace(stylegan2.PRESETS["published"].config, image_size=1024)
    with torch.device("meta"):
        generator, discriminator = stylegan2.Generator(config), stylegan2.Discriminator(config)
    # Totals printed by the authors' code at 1024 px; our shortcuts have a bias, 3 008 more.
    assert _weights(generator) == 30_370_060
    assert _weights(discriminator) == pytest.approx(29_012_513, rel=0.001)
    assert _weights(generator.mapping) == 8 * (512 * 512 + 512)
    assert generator.inputs == 18


def test_stylegan2_is_trained_as_published() -> None:
    preset = stylegan2.PRESETS["published"]
    options, config = preset.optimisation, preset.config
    assert (options.penalty, options.penalty_weight, options.penalty_interval) == ("r1", 10.0, 16)
    assert options.discriminator_lr == pytest.approx(0.002 * 16 / 17)
    assert options.generator_lr == pytest.approx(0.002 * 4 / 5)
    assert options.betas == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert (config.path_weight, config.path_interval, config.mixing) == (2.0, 4, 0.9)
    assert (options.batch, options.ema_half_life_images, options.total_images) == (32, 10_000, 25_000_000)
    assert stylegan2.StyleGan2.tags["loss"] == "bce"  # the non-saturating logistic one
