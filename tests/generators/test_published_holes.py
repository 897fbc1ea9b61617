"""The facts of context encoder, gated inpainting and Boundless, held by their `published` presets."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import nn

from generators.contract import Preset
from generators.data import masks
from generators.networks.gated import GatedConv
from generators.systems import context_encoder, inpainting, outpainting


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _gated(module: nn.Module) -> list[GatedConv]:
    return [layer for layer in module.modules() if isinstance(layer, GatedConv)]


def _convs(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def _rates(preset: Preset) -> tuple[int, float, float, tuple[float, float]]:
    options = preset.optimisation
    return options.batch, options.generator_lr, options.discriminator_lr, options.betas


def test_the_published_inpainting_has_the_released_layers_and_size() -> None:
    preset = inpainting.PRESETS["published"]
    with torch.device("meta"):
        generator = inpainting.Generator(preset.config)
    coarse = [layer.conv for layer in _gated(generator.coarse)]
    # 48 channels before the first gate, half of them after it.
    before = [48, 96, 96, 192, 192, 192, *[192] * 4, 192, 192, 96, 96, 48, 24]
    assert [conv.out_channels for conv in coarse] == before
    assert [conv.in_channels for conv in coarse[1:]] == [width // 2 for width in before[:-1]]
    assert [conv.dilation[0] for conv in coarse[6:10]] == [2, 4, 8, 16]
    assert coarse[0].in_channels == 5  # the picture, ones and the mask
    assert {layer.up.mode for layer in _gated(generator) if isinstance(layer.up, nn.Upsample)} == {"nearest"}
    assert not any(isinstance(layer, nn.InstanceNorm2d) for layer in generator.modules())
    assert _weights(generator) == pytest.approx(4.05e6, rel=1e-3)


def test_the_published_inpainting_has_the_released_critic_and_options() -> None:
    preset = inpainting.PRESETS["published"]
    critic = inpainting.Critic(preset.config)
    convs = _convs(critic)
    assert [conv.out_channels for conv in convs] == [64, 128, 256, 256, 256, 256]
    assert {(conv.kernel_size, conv.stride) for conv in convs} == {((5, 5), (2, 2))}
    assert convs[0].in_channels == 4
    assert preset.config.local == 0  # the second critic is ours, after the paper's forerunner
    assert _rates(preset) == (16, 1e-4, 1e-4, (0.5, 0.999))
    assert (preset.config.reconstruction_weight, preset.config.adversarial_weight) == (1.0, 1.0)
    assert preset.config.image_size == 256


def test_the_free_form_holes_have_the_released_measures_at_256_pixels() -> None:
    assert (256 * masks.BOX, 256 * masks.BOX_SHRINKS) == (128, 32)
    assert tuple(256 * width for width in masks.WIDTHS) == (12, 40)
    assert (masks.VERTICES, masks.STROKES) == ((4, 12), 3)


def test_the_published_context_encoder_is_the_released_one() -> None:
    preset = context_encoder.PRESETS["published"]
    config = preset.config
    with torch.device("meta"):
        generator = context_encoder.Generator(config)
        critic = context_encoder.Discriminator(config)
    downs, ups = _convs(generator), [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [conv.out_channels for conv in downs] == [64, 64, 128, 256, 512, 4000]
    assert [conv.out_channels for conv in ups] == [512, 256, 128, 64, 3]
    assert [conv.out_channels for conv in _convs(critic)] == [64, 128, 256, 512, 1]
    down = 16 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 4000)
    up = 16 * (4000 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    norms = 2 * (64 + 128 + 256 + 512 + 4000 + 512 + 256 + 128 + 64)
    assert _weights(generator) == down + up + norms
    assert (config.image_size, config.hole, config.overlap) == (128, 64, 4)
    assert (config.reconstruction_weight, context_encoder.BAND_WEIGHT) == (0.999, 10.0)
    assert _rates(preset) == (64, 2e-3, 2e-4, (0.5, 0.999))
    assert preset.optimisation.total_images == 500 * 15_000  # epochs of Paris StreetView


def test_the_hidden_square_is_of_the_released_mean_colour() -> None:
    mean = context_encoder.Generator(context_encoder.PRESETS["smoke"].config).mean
    assert ((mean + 1) * 127.5).flatten().tolist() == pytest.approx([117, 104, 123], abs=1e-4)


def test_the_published_outpainting_has_the_layers_of_the_papers_table() -> None:
    preset = outpainting.PRESETS["published"]
    with torch.device("meta"):
        generator = outpainting.Generator(preset.config)
    layers = _gated(generator)
    widths = [32, 64, 64, 128, 128, *[128] * 6, 128, 64, 64, 32, 16]
    assert [layer.conv.out_channels // 2 for layer in layers] == widths
    assert [layer.conv.dilation[0] for layer in layers[6:10]] == [2, 4, 8, 16]
    assert all(isinstance(layer.norm, nn.InstanceNorm2d) for layer in layers)
    assert [layer.up.mode for layer in layers if isinstance(layer.up, nn.Upsample)] == ["bilinear"] * 2
    # Two convolutions (features and gate) of 25 or 9 taps a layer, and the last one without gate.
    taps = [25, *[9] * 15]
    pairs = zip([5, *widths], widths, taps, strict=False)
    expected = sum(2 * after * (before * size + 1) for before, after, size in pairs) + 16 * 3 * 9 + 3
    # Were the skips concatenated, as in other U-Nets, it would be 3.46 M; the released code adds them.
    assert _weights(generator) == expected == 2_896_019


@pytest.mark.parametrize("module", [inpainting, outpainting])
def test_every_tap_that_ships_has_seen_pixels(module: ModuleType) -> None:
    # A tap that lies outside the padding's reach at no place of a crop keeps its first, random weight.
    config = module.PRESETS["shipped"].config
    assert max(config.dilations) <= config.image_size // 4 // 2


def test_the_published_outpainting_has_the_papers_critic_and_options() -> None:
    preset = outpainting.PRESETS["published"]
    critic = outpainting.Critic(preset.config)
    convs = _convs(critic)
    assert [conv.out_channels for conv in convs] == [64, 128, 256, 256, 256, 256, 256]
    assert [conv.kernel_size[0] for conv in convs] == [5, 5, 5, 5, 5, 5, 4]
    assert convs[0].in_channels == 4
    assert preset.config.adversarial_weight == 0.01
    assert _rates(preset) == (16, 1e-4, 1e-3, (0.5, 0.9))
    assert masks.SHARES == (0.25, 0.5, 0.75)
