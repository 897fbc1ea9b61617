"""The facts of the papers and of their released code, held by the `published` presets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from generators import catalogue
from generators.contract import AdversarialModel, Batch
from generators.systems import dcgan, progressive, vanilla


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _published(name: str, **options: object) -> AdversarialModel:
    return catalogue.create(name, "published", **options)


def test_the_vanilla_gan_is_the_released_one_with_its_epsilon() -> None:
    model = _published("vanilla")
    linear = [layer for layer in model.generator.modules() if isinstance(layer, nn.Linear)]
    norms = [layer for layer in model.generator.modules() if isinstance(layer, nn.BatchNorm1d)]
    assert [layer.out_features for layer in linear] == [128, 256, 512, 1024, 784]
    assert [layer.num_features for layer in norms] == [256, 512, 1024]  # none after the first layer
    assert {layer.eps for layer in norms} == {0.8}
    assert _weights(model.generator) == pytest.approx(1.51e6, rel=1e-3)
    judging = [layer for layer in model.discriminator.modules() if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in judging] == [
        (784, 512),
        (512, 256),
        (256, 1),
    ]
    leaks = [layer for layer in model.modules() if isinstance(layer, nn.LeakyReLU)]
    assert {layer.negative_slope for layer in leaks} == {0.2}
    options = model.optimisation
    assert (options.batch, options.generator_lr, options.betas) == (64, 2e-4, (0.5, 0.999))
    assert options.generator_first
    assert options.ema_half_life_images == 0  # released samples are the live generator's
    assert options.total_images == 200 * 60_000
    # BCE: with logits of 0 for everything the mean of both halves is ln 2, and so is the generator's loss.
    nn.init.zeros_(judging[-1].weight)
    nn.init.zeros_(judging[-1].bias)
    batch, rng = Batch(torch.zeros(4, 1, 28, 28)), torch.Generator().manual_seed(0)
    for loss in (model.discriminator_loss(batch, rng), model.generator_loss(batch, rng)):
        assert loss.total.item() == pytest.approx(math.log(2))


def test_the_shipped_vanilla_gan_has_the_epsilon_that_was_meant() -> None:
    assert vanilla.PRESETS["shipped"].config.batch_norm_epsilon == 1e-5


def test_the_published_dcgan_is_the_papers() -> None:
    model = _published("dcgan")
    ups = [layer for layer in model.generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [(layer.in_channels, layer.out_channels) for layer in ups] == [
        (1024, 512),
        (512, 256),
        (256, 128),
        (128, 3),
    ]
    assert {layer.kernel_size for layer in ups} == {(5, 5)}
    assert {layer.stride for layer in ups} == {(2, 2)}
    assert not any(isinstance(layer, nn.Linear) for layer in model.discriminator.modules())
    assert ups[0].weight.std().item() == pytest.approx(0.02, rel=0.01)
    options = model.optimisation
    assert (options.batch, options.generator_lr, options.betas) == (128, 2e-4, (0.5, 0.999))


def test_published_latents_of_the_dcgan_are_uniform() -> None:
    model = dcgan.Dcgan(dcgan.Config(image_size=16, width=1, latent_law="uniform"), _OPTIONS)
    seen: list[torch.Tensor] = []
    model.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.sample(None, 500, torch.Generator().manual_seed(0))
    assert seen[0].abs().max() <= 1
    # Var U(-1, 1) = 1/3; 50 000 draws hold it to within a percent.
    assert seen[0].var().item() == pytest.approx(1 / 3, rel=0.02)


@pytest.mark.parametrize(("kernel", "size"), [(4, 32), (5, 64)])
def test_the_dcgan_doubles_to_the_size_asked_for(kernel: int, size: int) -> None:
    model = dcgan.Dcgan(dcgan.Config(image_size=size, width=2, kernel=kernel), _OPTIONS)  # type: ignore[arg-type]
    images = model.sample(None, 2, torch.Generator().manual_seed(0))
    assert images.shape == (2, 3, size, size)
    assert model.discriminator(images).shape == (2,)


def test_the_progressive_gan_has_the_released_size_and_options() -> None:
    with torch.device("meta"):
        whole = _published("progressive", image_size=256)
        largest = _published("progressive", image_size=1024)
    assert _weights(whole.generator) == pytest.approx(87.9 * 2**20 / 4, rel=1e-3)  # MiB in fp32
    # Both are 23.1 M in the paper's table 2; rounded there, and here with a toRGB or fromRGB for each size.
    assert _weights(largest.generator) == pytest.approx(23.1e6, rel=1e-3)
    assert _weights(largest.discriminator) == pytest.approx(23.1e6, rel=1e-3)
    preset = progressive.PRESETS["published"]
    options = preset.optimisation
    assert (options.penalty, options.penalty_weight, preset.config.drift) == ("gp", 10.0, 1e-3)
    assert (options.generator_lr, options.betas) == (1e-3, (0.0, 0.99))
    assert (preset.config.stable_images, preset.config.fade_images) == (600_000, 600_000)
    assert (options.discriminator_steps, options.generator_steps) == (1, 1)
    assert (options.total_images, preset.config.first_size, preset.config.latent) == (12_000_000, 4, 512)
    assert (preset.config.loss, options.precision) == ("wasserstein", "fp32")
    # 128 pictures a step to 16 px, 64 at 32 px and 32 at 64 px.
    growing = progressive.Progressive(replace(preset.config, feature_base=64, feature_max=2), options)
    starts = [0, *(1_200_000 * n - 600_000 for n in range(1, 5))]
    assert progressive.sizes(preset.config) == [4, 8, 16, 32, 64]
    batches = []
    for growing.images_seen in starts:
        batches.append(growing.batch_size())
    assert batches == [128, 128, 128, 64, 32]
    # 0.999 a step of 32 images.
    assert 0.5 ** (32 / options.ema_half_life_images) == pytest.approx(0.999, abs=2e-5)


_OPTIONS = dcgan.PRESETS["smoke"].optimisation
