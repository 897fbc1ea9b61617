"""R3GAN and StyleGAN2: the filter, modulation, styles, truncation, path lengths, against known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generators import catalogue
from generators.data.memory import ImageSet
from generators.losses.penalties import path_lengths
from generators.networks.modulated import MappingNetwork, ModulatedConv2d
from generators.networks.resblocks import FromLatent, ToLogit
from generators.networks.smooth import doubled, halved, smoothed
from generators.systems.r3gan import Config, R3Gan
from generators.systems.stylegan2 import PRESETS, Generator, StyleGan2
from generators.training.step import Run
from tests.toy_gan import Conditioned

SMOKE = PRESETS["smoke"]


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _filter() -> Tensor:
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return torch.outer(line, line)[None, None]


def _stylegan2(**changes: object) -> StyleGan2:
    torch.manual_seed(0)
    return StyleGan2(replace(SMOKE.config, **changes), SMOKE.optimisation)


def test_halving_and_smoothing_are_the_filter_1_3_3_1() -> None:
    x = torch.randn(2, 1, 8, 8, generator=_rng())
    assert torch.allclose(halved(x), F.conv2d(x, _filter(), stride=2, padding=1), atol=1e-6)
    assert torch.allclose(smoothed(x), F.conv2d(x, _filter(), padding=1), atol=1e-6)


def test_doubling_is_the_filter_on_inserted_zeros_but_for_the_border() -> None:
    x = torch.randn(2, 1, 8, 8, generator=_rng())
    expected = F.conv_transpose2d(x, 4 * _filter(), stride=2, padding=1)
    assert torch.allclose(doubled(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-6)


def test_a_scaled_convolution_is_the_one_with_weights_for_each_picture() -> None:
    # Karras et al. 2020, Eq. 1 to 3, taken literally: scale, normalise, convolve in groups.
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 6, 3, 5)
    x, w = torch.randn(3, 4, 8, 8), torch.randn(3, 5)
    weights = (layer.weight * layer.scale)[None] * layer.style(w)[:, None, :, None, None]  # (B, C', C, 3, 3)
    weights = weights * torch.rsqrt(weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8)
    expected = F.conv2d(x.reshape(1, 12, 8, 8), weights.flatten(0, 1), padding=1, groups=3)
    assert torch.allclose(layer(x, w), expected.reshape(3, 6, 8, 8), atol=1e-5)


def test_a_demodulated_output_keeps_the_unit_scale_of_its_input() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(64, 64, 3, 8)
    out = layer(torch.randn(8, 64, 32, 32), 10 * torch.randn(8, 8))
    # Borders see zeros for a few of 9 places; 5 % is more than that.
    assert out.std().item() == pytest.approx(1.0, rel=0.05)


def test_a_doubling_convolution_doubles_and_keeps_a_level_level() -> None:
    layer = ModulatedConv2d(1, 1, 3, 2, up=True, demodulate=False)
    nn.init.zeros_(layer.style.weight)
    nn.init.ones_(layer.weight)
    out = layer(torch.ones(1, 1, 8, 8), torch.zeros(1, 2))
    assert out.shape == (1, 1, 16, 16)
    # Nine weights of 1/3 over pixels of which each fourth is one, times 4.
    assert torch.allclose(out[..., 4:-4, 4:-4], torch.full((8, 8), 9 / 3))


def test_styles_lie_on_no_scale_of_the_latents() -> None:
    mapping = MappingNetwork(8, 8, 3)
    z = torch.randn(4, 8, generator=_rng())
    assert torch.allclose(mapping(z), mapping(5 * z), atol=1e-6)


def test_the_mapping_learns_at_a_hundredth_of_the_pace() -> None:
    # Weights drawn a hundredfold and used at a hundredth: the same start, a hundredth of Adam's step.
    torch.manual_seed(0)
    mapping = MappingNetwork(256, 256, 1)
    assert mapping.dense[0].get_parameter("weight").std().item() == pytest.approx(100, rel=0.01)
    out = mapping(torch.randn(64, 256))
    # E leaky(x)^2 with slope 0.2 and He's variance 2 is 1.04.
    assert out.square().mean().item() == pytest.approx(1.04, rel=0.05)


def test_truncation_goes_from_the_mean_picture_to_the_latents_own() -> None:
    model = _stylegan2().eval()
    generator: Generator = model.generator
    generator.w_mean.normal_(generator=_rng())
    z = torch.randn(3, 8, generator=_rng())
    with torch.no_grad():
        means, halves, wholes = (generator(z, torch.full((3,), t)) for t in (0.0, 0.5, 1.0))
        mixed = generator(z, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(means[0], means[1])
    assert not torch.equal(halves, wholes)
    assert torch.allclose(mixed, torch.stack([means[0], halves[1], wholes[2]]), atol=1e-6)
    assert torch.equal(wholes, model.sample(None, 3, _rng()))


def test_the_mean_style_follows_training_and_is_kept_with_the_average() -> None:
    model = catalogue.create("stylegan2", "smoke")
    run = Run(model, Conditioned(model.image_shape), seed=0, device=torch.device("cpu"))
    run.advance()
    moved = model.generator.get_buffer("w_mean")
    assert moved.any()
    assert torch.equal(moved, run.ema.generator.get_buffer("w_mean"))


def test_mixed_styles_change_at_one_layer() -> None:
    model = _stylegan2(mixing=1.0)
    styles = model.styles(4, _rng())
    jumps = (styles[:, 1:] != styles[:, :-1]).any(dim=2)
    assert (jumps.sum(dim=1) == 1).all()
    assert not (_stylegan2(mixing=0.0).styles(4, _rng()).diff(dim=1)).any()


def test_the_path_length_of_a_linear_picture_is_that_of_its_matrix() -> None:
    # images = A w: J^T y = A^T y, of mean square |A|^2 / (H W) over y.
    torch.manual_seed(0)
    matrix = torch.randn(16 * 16, 6)
    w = torch.randn(4096, 1, 6, requires_grad=True)
    lengths = path_lengths((w[:, 0] @ matrix.T).reshape(-1, 1, 16, 16), w, _rng())
    expected = matrix.square().sum() / 256
    # 4 096 draws of chi-square-like lengths: 1 % off at one deviation.
    assert lengths.square().mean().item() == pytest.approx(expected.item(), rel=0.04)


def test_the_path_penalty_comes_each_fourth_step_with_four_times_its_weight() -> None:
    model = _stylegan2(path_weight=2.0, path_interval=4)
    batch = Conditioned(model.image_shape).draw(4, _rng())
    without = _stylegan2(path_weight=0.0).generator_loss(batch, _rng(1)).total
    found = model.generator_loss(batch, _rng(1))
    assert found.total.item() == pytest.approx(without.item() + 8 * found.parts["path"].item(), rel=1e-5)
    model.images_seen = 4
    assert "path" not in model.generator_loss(batch, _rng(1)).parts


def test_samples_use_the_noise_kept_in_the_layers() -> None:
    model = _stylegan2().eval()
    for layer in model.generator.layers:
        nn.init.ones_(layer.get_parameter("strength"))
    first = model.sample(None, 2, _rng())
    assert torch.equal(first, model.sample(None, 2, _rng()))
    w = model.generator.mapping(model.latents(2, _rng()))[:, None].expand(-1, model.generator.inputs, -1)
    assert not torch.equal(model.generator.drawn(w, _rng(1)), model.generator.drawn(w, _rng(2)))


def test_without_noise_nothing_of_it_is_kept() -> None:
    names = _stylegan2(noise=False).state_dict()
    assert not any("noise" in name or "strength" in name for name in names)


def test_r3gans_last_layer_is_a_depthwise_convolution_and_a_dense_one() -> None:
    torch.manual_seed(0)
    head = ToLogit(6)
    x = torch.randn(3, 6, 4, 4)
    expected = head.scales(F.conv2d(x, head.maps[:, None], groups=6).flatten(1)).squeeze(1)
    assert torch.allclose(head(x), expected, atol=1e-5)
    z = torch.randn(2, 8)
    stem = FromLatent(8, 6)
    assert torch.allclose(stem(2 * z), 2 * stem(z), atol=1e-6)


def test_r3gans_blocks_begin_as_identities() -> None:
    torch.manual_seed(0)
    model = R3Gan(
        Config(latent=8, widths=(16, 16, 8), blocks=2), catalogue.create("r3gan", "smoke").optimisation
    )
    assert model.image_shape == (3, 16, 16)
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(model.generator.blocks[0](x), x)


@pytest.mark.parametrize("name", ["r3gan", "stylegan2"])
def test_the_colour_of_the_reals_is_learnt_in_seconds(name: str) -> None:
    options = {"generator_lr": 5e-3, "discriminator_lr": 5e-3, "ema_half_life_images": 4.0, "augment": ""}
    model = catalogue.create(name, "smoke", anneal_images=0, total_images=1_000, **options)
    light = ImageSet(np.full((2, 16, 16, 3), 215, np.uint8))
    run = Run(model, light, seed=0, device=torch.device("cpu"))

    def distance() -> float:
        samples = run.samples(light.draw(16, _rng()), _rng(1))
        return abs(float(samples.mean()) - (215 / 127.5 - 1))

    before = distance()
    for _ in range(30):
        run.advance()
    assert distance() < before / 2
