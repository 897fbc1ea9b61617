"""Growing: the schedule, seamless fading, reals shown as the generator draws, and its special layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from generators.networks.equalized import EqualizedConv2d, EqualizedLinear, MinibatchDeviation, PixelNorm
from generators.networks.growing import Growth
from generators.systems.progressive import PRESETS, Config, Progressive, growth_at, sizes
from generators.training.step import Run
from tests.toy_gan import pictures

SMALL = PRESETS["smoke"].config  # 4, 8, 16 px; 16 images of staying and of fading


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _model(images_seen: int = 0) -> Progressive:
    torch.manual_seed(0)
    model = Progressive(SMALL, PRESETS["smoke"].optimisation)
    model.images_seen = images_seen
    return model


@pytest.mark.parametrize(
    ("seen", "level", "alpha"),
    [
        (0, 0, 1.0),
        (15, 0, 1.0),
        (16, 1, 0.0),
        (24, 1, 0.5),
        (32, 1, 1.0),
        (47, 1, 1.0),
        (48, 2, 0.0),
        (64, 2, 1.0),
        (10_000, 2, 1.0),
    ],
)
def test_each_size_fades_in_then_stays(seen: int, level: int, alpha: float) -> None:
    assert growth_at(seen, SMALL) == Growth(level, alpha)


def test_a_model_of_one_size_does_not_grow() -> None:
    config = Config(image_size=8, first_size=8)
    assert sizes(config) == [8]
    assert growth_at(10**9, config) == Growth(0, 1.0)


def test_the_shipped_preset_grows_to_128_pixels() -> None:
    config = PRESETS["shipped"].config
    assert sizes(config) == [8, 16, 32, 64, 128]
    # Four doublings, each of 5 000 images of fading and 10 000 of staying, after 10 000 at the start.
    assert growth_at(55_000 - 1, config).level == 3
    assert growth_at(55_000, config) == Growth(4, 0.0)


def test_without_fading_a_new_size_is_whole_at_once() -> None:
    assert growth_at(16, replace(SMALL, fade_images=0)) == Growth(1, 1.0)


def test_a_new_size_begins_as_the_old_one_enlarged_for_both_players() -> None:
    model = _model()
    z = torch.randn(4, SMALL.latent, generator=_rng())
    generator, discriminator = model.generator, model.discriminator
    generator.growth = discriminator.growth = Growth(1, 1.0)
    before = generator(z)
    judged = discriminator(before)
    generator.growth = discriminator.growth = Growth(2, 0.0)
    enlarged = generator(z)
    assert torch.equal(enlarged, interpolate(before, scale_factor=2.0))
    assert torch.allclose(discriminator(enlarged), judged, atol=1e-5)


def test_reals_are_blended_as_fakes_are() -> None:
    images = torch.randn(2, 3, 16, 16, generator=_rng())
    half = avg_pool2d(images, 2)
    assert torch.equal(_model(40).shrunk(images), half)  # staying at 8 px
    old = interpolate(avg_pool2d(half, 2), scale_factor=2.0)
    assert torch.allclose(_model(24).shrunk(images), (old + half) / 2, atol=1e-6)


def test_batches_are_larger_while_images_are_small() -> None:
    # Batch 4 at 16 px: 16 at 4 px, 8 at 8 px.
    assert [_model(seen).batch_size() for seen in (0, 40, 80)] == [16, 8, 4]
    published = Progressive(replace(SMALL, image_size=32), PRESETS["published"].optimisation)
    assert published.batch_size() == 128  # not 32 x 32 / 4 = 256


def test_adam_starts_anew_when_a_size_begins_to_fade_and_when_it_is_whole() -> None:
    phases = [_model(seen).phase() for seen in (0, 15, 16, 31, 32, 47, 48)]
    assert phases == [0, 0, 3, 3, 2, 2, 5]
    run = Run(_model(), pictures((3, 16, 16)), seed=0, device=torch.device("cpu"))
    first = run.optimisers["generator"]
    run.advance()  # 16 images: the 8 px block begins
    run.advance()
    assert run.optimisers["generator"] is not first


def test_samples_are_enlarged_to_the_full_size_while_growing() -> None:
    samples = _model(0).sample(None, 2, _rng())
    assert samples.shape == (2, 3, 16, 16)
    assert torch.equal(samples[:, :, ::4, ::4], samples[:, :, 3::4, 3::4])


def test_equalised_layers_keep_the_variance_of_their_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 256)
    assert EqualizedLinear(256, 256, gain=1.0)(x).var().item() == pytest.approx(1.0, rel=0.1)
    maps = torch.randn(8, 64, 8, 8)
    inner = EqualizedConv2d(64, 64, 3, gain=1.0)(maps)[..., 1:-1, 1:-1]  # padding dims the border
    assert inner.var().item() == pytest.approx(1.0, rel=0.1)


def test_pixel_norm_gives_every_pixel_unit_mean_square() -> None:
    normed = PixelNorm()(torch.randn(2, 7, 3, 3, generator=_rng()) * 50)
    assert torch.allclose(normed.square().mean(dim=1), torch.ones(2, 3, 3), atol=1e-5)


def test_the_minibatch_deviation_is_zero_for_equal_images_and_theirs_otherwise() -> None:
    layer = MinibatchDeviation(group=4)
    same = layer(torch.ones(8, 2, 3, 3))
    assert same.shape == (8, 3, 3, 3)
    assert same[:, 2].max() < 1e-3
    # Groups take every second image here: deviations of 0, 2, 4, 6 and of 1, 3, 5, 7, both sqrt 5.
    counted = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 2, 3, 3)
    assert torch.allclose(layer(counted)[:, 2], torch.full((8, 3, 3), 5**0.5))


def test_the_minibatch_deviation_of_a_single_image_is_finite_with_its_gradient() -> None:
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    MinibatchDeviation()(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
