"""The facts of TAC-GAN and AttnGAN and of their released code, held by the `published` presets."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from generators import catalogue
from generators.losses import matching
from generators.networks.stages import Critic, Residual
from generators.systems import attngan, tac_gan


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _all(kind: type[nn.Module], net: nn.Module) -> list[nn.Module]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def _meta(name: str) -> tac_gan.TacGan | attngan.AttnGan:
    flowers = tuple(f"flower{n}" for n in range(102))
    preset = catalogue.preset(name, "published", words=("", "?", *flowers), classes=flowers)
    with torch.device("meta"):
        return catalogue.system(name).load()[0](preset.config, preset.optimisation)  # type: ignore[return-value]


def test_the_generator_of_tac_gan_is_the_released_one_for_128_pixels() -> None:
    generator = _meta("tac_gan").generator
    ups = [(up.in_channels, up.out_channels) for up in _all(nn.ConvTranspose2d, generator)]
    assert ups == [(512, 256), (256, 128), (128, 64), (64, 3)]
    assert {(up.kernel_size, up.stride) for up in _all(nn.ConvTranspose2d, generator)} == {((5, 5), (2, 2))}
    condense, project = _all(nn.Linear, generator)
    assert (condense.in_features, condense.out_features) == (4800, 100)
    assert (project.in_features, project.out_features) == (200, 512 * 8 * 8)
    text = 4800 * 100 + 100
    dense = 200 * 32768 + 32768
    deconvolutions = sum(25 * i * o + o for i, o in ups)
    norms = 2 * (512 + 256 + 128 + 64)
    assert _weights(generator) == text + dense + deconvolutions + norms
    assert _weights(generator) == pytest.approx(11.37e6, rel=1e-3)


def test_the_discriminator_of_tac_gan_tiles_the_text_and_names_102_flowers() -> None:
    discriminator = _meta("tac_gan").discriminator
    layers = _all(nn.Conv2d, discriminator.layers)
    assert [layer.out_channels for layer in layers] == [64, 128, 256, 512]
    assert {(layer.kernel_size, layer.stride) for layer in layers} == {((5, 5), (2, 2))}
    assert len(_all(nn.BatchNorm2d, discriminator.layers)) == 3  # none on the first
    (joint,) = _all(nn.Conv2d, discriminator.joint)
    assert (joint.in_channels, joint.out_channels, joint.kernel_size) == (612, 512, (1, 1))
    assert discriminator.head.out_features == 1 + 102
    assert discriminator.matcher.text(torch.ones(1, 2, dtype=torch.int64, device="meta")).sentence.shape == (
        1,
        4800,
    )


def test_tac_gan_trains_as_released() -> None:
    preset = tac_gan.PRESETS["published"]
    options = preset.optimisation
    assert (options.batch, options.generator_lr, options.betas) == (128, 2e-4, (0.5, 0.999))
    assert (options.discriminator_steps, options.generator_steps) == (1, 2)
    assert (preset.config.latent, preset.config.condensed, preset.config.latent_law) == (100, 100, "uniform")
    assert preset.config.class_weight == 1.0
    assert options.total_images - preset.config.matching_images == 400 * 8_189  # epochs of Oxford's flowers
    z = _meta("tac_gan").latents(500, torch.Generator().manual_seed(0))["z"]
    assert z.abs().max() <= 1
    assert z.var().item() == pytest.approx(1 / 3, rel=0.02)  # of U(-1, 1); 50 000 draws


def test_the_generator_of_attngan_is_the_released_one_for_birds() -> None:
    generator = _meta("attngan").generator
    assert _weights(generator) == pytest.approx(7.08e6, rel=1e-3)
    condition = 256 * 400 + 400
    dense = 200 * 16384 + 2 * 16384
    first = sum(9 * i * 2 * o + 4 * o for i, o in ((512, 256), (256, 128), (128, 64), (64, 32)))
    residual = 9 * 64 * 128 + 2 * 128 + 9 * 64 * 64 + 2 * 64
    refine = 256 * 32 + 2 * residual + 9 * 64 * 64 + 2 * 64
    assert _weights(generator) == condition + dense + first + 2 * refine + 3 * 9 * 32 * 3
    assert len(_all(Residual, generator)) == 4
    assert {layer.bias for layer in _all(nn.Conv2d, generator)} == {None}


def test_attngan_has_a_critic_of_the_released_size_at_64_128_and_256_pixels() -> None:
    discriminator = _meta("attngan").discriminator
    assert list(discriminator.critics) == ["64", "128", "256"]
    widths = {
        side: [layer.out_channels for layer in _all(nn.Conv2d, critic.layers)]
        for side, critic in discriminator.critics.items()
    }
    assert widths == {
        "64": [64, 128, 256, 512],
        "128": [64, 128, 256, 512, 1024, 512],
        "256": [64, 128, 256, 512, 1024, 2048, 1024, 512],
    }
    for critic in discriminator.critics.values():
        assert isinstance(critic, Critic)
        (joint,) = _all(nn.Conv2d, critic.joint)
        assert (joint.in_channels, joint.kernel_size) == (512 + 256, (3, 3))
        assert (critic.told.kernel_size, critic.told.stride) == ((4, 4), (4, 4))


def test_attngan_trains_as_released() -> None:
    preset = attngan.PRESETS["published"]
    options, config = preset.optimisation, preset.config
    assert (options.batch, options.generator_lr, options.betas) == (20, 2e-4, (0.5, 0.999))
    assert 0.5 ** (20 / options.ema_half_life_images) == pytest.approx(0.999, abs=1e-6)
    assert (config.latent, config.condition, config.text, config.embedding) == (100, 100, 256, 300)
    assert (config.matching_weight, config.dropout, config.length) == (5.0, 0.5, 18)
    gammas = (matching.GAMMA_REGIONS, matching.GAMMA_WORDS, matching.GAMMA_SCORES)
    assert gammas == (4.0, 5.0, 10.0)
    assert config.matching_batch == 48
    assert (options.discriminator_steps, options.generator_steps) == (1, 1)
    # 600 epochs of the birds for the encoders, then as many for the players.
    assert (config.matching_images, options.total_images) == (600 * 8_855, 2 * 600 * 8_855)


def test_first_weights_are_orthogonal_in_attngan_and_small_in_tac_gan() -> None:
    dense = catalogue.create("attngan", "smoke").generator.dense[0].weight
    assert torch.allclose(dense.T @ dense, torch.eye(dense.shape[1]), atol=1e-5)
    ups = _all(nn.ConvTranspose2d, catalogue.create("tac_gan", "shipped").generator)
    assert ups[0].weight.std().item() == pytest.approx(0.02, rel=0.02)
