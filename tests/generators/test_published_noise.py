"""The facts of LSGAN, WGAN, WGAN-GP, SN-GAN, cGAN and AC-GAN, held by their `published` presets."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from generators import catalogue
from generators.contract import AdversarialModel


def _published(name: str) -> AdversarialModel:
    with torch.device("meta"):
        return catalogue.create(name, "published")


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _layers(module: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("name", "generator", "discriminator"),
    [
        # Dense 1024 -> 7x7x256, four 3x3 of 256, then 128, 64 and 3, six batch norms after the first.
        ("lsgan", 15_591_427, 4_331_841),
        # The released DCGAN_G and DCGAN_D at 64 px, which have no bias on their first and last layers.
        ("wgan", 3_576_704, 2_765_568),
        ("wgan_gp", 1_204_483, 1_053_825),
        ("sngan", 4_276_739, 1_053_825),
        ("cgan", 41_996_931, 30_041_857),
        # 110 x 6144, then 5x5 of 192, 96 and 3; six 3x3 and a dense layer to 11.
        ("acgan", 2_994_051, 1_664_907),
    ],
)
def test_the_published_networks_have_the_size_of_the_papers(
    name: str, generator: int, discriminator: int
) -> None:
    model = _published(name)
    assert _weights(model.generator) == pytest.approx(generator, rel=1e-3)
    assert _weights(model.discriminator) == pytest.approx(discriminator, rel=1e-3)


def test_lsgan_regresses_on_the_released_network_for_scenes() -> None:
    model = _published("lsgan")
    ups = _layers(model.generator, nn.ConvTranspose2d)
    assert [(up.out_channels, up.stride[0]) for up in ups] == [
        (256, 2),
        (256, 1),
        (256, 2),
        (256, 1),
        (128, 2),
        (64, 2),
        (3, 1),
    ]
    assert {up.kernel_size for up in ups} == {(3, 3)}
    downs = _layers(model.discriminator, nn.Conv2d)
    assert [down.out_channels for down in downs] == [64, 128, 256, 512]
    assert {down.kernel_size for down in downs} == {(5, 5)}
    assert model.image_shape == (3, 112, 112)
    assert (model.config.latent, model.config.latent_law) == (1024, "uniform")
    options = model.optimisation
    assert (options.batch, options.generator_lr, options.betas) == (64, 1e-3, (0.5, 0.999))
    assert model.fingerprint()["loss"] == "lsgan"


def test_wgan_clips_to_a_hundredth_after_five_steps_of_rmsprop() -> None:
    options = _published("wgan").optimisation
    assert (options.optimiser, options.generator_lr, options.discriminator_lr) == ("rmsprop", 5e-5, 5e-5)
    assert (options.clip, options.discriminator_steps, options.batch) == (0.01, 5, 64)
    assert (options.penalty, options.ema_half_life_images) == ("none", 0.0)
    assert _published("wgan").fingerprint()["loss"] == "wasserstein"


def test_wgan_gp_weighs_its_penalty_by_ten_and_has_no_norm_in_the_critic() -> None:
    model = _published("wgan_gp")
    options = model.optimisation
    assert (options.penalty, options.penalty_weight, options.penalty_interval) == ("gp", 10.0, 1)
    assert (options.discriminator_steps, options.batch, options.betas) == (5, 64, (0.0, 0.9))
    assert options.total_images == 100_000 * 5 * 64
    # A straight line from the first image to nothing at the last.
    assert options.at(0).generator_lr == 2e-4
    assert options.at(options.total_images // 2).discriminator_lr == pytest.approx(1e-4)
    assert options.at(options.total_images).generator_lr == 0
    assert not _layers(model.discriminator, nn.BatchNorm2d)
    assert len(_layers(model.generator, nn.BatchNorm2d)) == 7
    assert model.discriminator.pooling == "mean"


def test_sngan_normalises_every_layer_of_the_discriminator_and_plays_hinge() -> None:
    model = _published("sngan")
    layers = [*_layers(model.discriminator, nn.Conv2d), *_layers(model.discriminator, nn.Linear)]
    assert len(layers) == 11  # four blocks of two, two shortcuts that change the shape, the head
    assert all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    assert not any(parametrize.is_parametrized(layer) for layer in model.generator.modules())
    assert (model.fingerprint()["loss"], model.discriminator.pooling) == ("hinge", "sum")
    options = model.optimisation
    assert (options.generator_lr, options.betas, options.discriminator_steps) == (2e-4, (0.0, 0.9), 5)
    assert (options.total_images, options.decay_from) == (50_000 * 5 * 64, 0.0)


def test_the_conditional_gan_is_the_projection_networks_for_imagenet() -> None:
    model = _published("cgan")
    assert len(model.config.classes) == 1000
    assert [block.first.out_channels for block in model.generator.blocks] == [1024, 512, 256, 128, 64]
    assert [block.second.out_channels for block in model.discriminator.blocks] == [
        64,
        128,
        256,
        512,
        1024,
        1024,
    ]
    assert [block.halve for block in model.discriminator.blocks] == [True] * 5 + [False]
    tables = _layers(model.generator, nn.Embedding)
    assert len(tables) == 20  # a gain and a bias for each of two norms in five blocks
    assert parametrize.is_parametrized(model.discriminator.classes, "weight")
    options = model.optimisation
    steps = options.discriminator_steps * options.batch
    assert options.total_images == 450_000 * steps
    assert options.at(400_000 * steps).generator_lr == 2e-4
    assert options.at(425_000 * steps).generator_lr == pytest.approx(1e-4)


def test_acgan_has_the_layers_of_the_cifar_table() -> None:
    model = _published("acgan")
    ups = _layers(model.generator, nn.ConvTranspose2d)
    assert [(up.in_channels, up.out_channels, up.kernel_size[0], up.stride[0]) for up in ups] == [
        (384, 192, 5, 2),
        (192, 96, 5, 2),
        (96, 3, 5, 2),
    ]
    downs = _layers(model.discriminator, nn.Conv2d)
    assert [(down.out_channels, down.stride[0]) for down in downs] == [
        (16, 2),
        (32, 1),
        (64, 2),
        (128, 1),
        (256, 2),
        (512, 1),
    ]
    assert {layer.p for layer in _layers(model.discriminator, nn.Dropout)} == {0.5}
    assert len(_layers(model.discriminator, nn.BatchNorm2d)) == 5  # none on the first
    assert model.discriminator.head.out_features == 11
    options = model.optimisation
    assert (options.batch, options.generator_lr, options.betas) == (100, 2e-4, (0.5, 0.999))
    assert options.total_images == 50_000 * 100
