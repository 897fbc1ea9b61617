"""The reconstruction family: every member rebuilds any size, learns, and loads as it was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from generators.contract import Batch
from generators.data.memory import ImageSet
from generators.networks.upsamplers import UPSAMPLERS
from generators.systems.reconstruction import (
    HELD_OUT_FAMILIES,
    MEMBERS,
    OPTIMISATION,
    PRESETS,
    Autoencoder,
    Quantised,
    ReconstructionGAN,
    Variational,
    fingerprint,
    load_member,
)
from generators.training.loop import train


def test_the_family_covers_operators_factors_bottlenecks_and_norms() -> None:
    configs = list(MEMBERS.values())
    assert {config.upsampler for config in configs} == set(UPSAMPLERS)
    assert {config.factor for config in configs} == {2, 4, 8, 16}
    assert {config.bottleneck for config in configs} == {"plain", "vae", "vq"}
    assert {config.normalisation for config in configs} == {"none", "batch", "instance", "pixel"}
    assert {config.output for config in configs} == {"tanh", "clamp"}


def test_families_left_out_of_training_have_members_and_others_are_left() -> None:
    families = {config.family for config in MEMBERS.values()}
    assert set(HELD_OUT_FAMILIES) < families
    # Not one member that training sees upsamples with an operator that is held out.
    seen = [config for config in MEMBERS.values() if config.family not in HELD_OUT_FAMILIES]
    assert not {config.upsampler for config in seen} & set(HELD_OUT_FAMILIES)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_rebuilds_pictures_of_any_size_within_range(name: str) -> None:
    torch.manual_seed(0)
    generator = Autoencoder(MEMBERS[name]).eval()
    with torch.no_grad():
        for height, width in ((32, 48), (64, 16)):
            out = generator(torch.rand(2, 3, height, width) * 2 - 1)
            assert out.shape == (2, 3, height, width)
            assert out.abs().max() <= 1


@pytest.mark.parametrize("name", ["bilinear-x2", "vae-x4", "vq-x4"])
def test_both_players_get_gradients_and_only_their_own_loss_moves_them(name: str) -> None:
    model = ReconstructionGAN(MEMBERS[name])
    batch, rng = Batch(torch.rand(2, 3, 32, 32) * 2 - 1), torch.Generator().manual_seed(1)
    model.discriminator_loss(batch, rng).total.backward()
    assert all(weight.grad is None for weight in model.generator.parameters())
    model.zero_grad(set_to_none=True)
    losses = model.generator_loss(batch, rng)
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert all(weight.grad is not None for weight in model.generator.parameters())


def test_the_divergence_of_a_standard_normal_code_is_zero() -> None:
    bottleneck = Variational(width=4, latent=2)
    for weight in bottleneck.moments.parameters():
        torch.nn.init.zeros_(weight)
    assert bottleneck(torch.randn(1, 4, 3, 3), None)[1].item() == 0


def test_noise_moves_a_variational_code_and_none_takes_the_mean() -> None:
    bottleneck = Variational(width=4, latent=2)
    features = torch.randn(1, 4, 3, 3)
    mean = bottleneck(features, None)[0]
    assert torch.equal(mean, bottleneck(features, torch.zeros(1, 2, 3, 3))[0])
    assert not torch.equal(mean, bottleneck(features, torch.ones(1, 2, 3, 3))[0])


def test_quantising_takes_the_nearest_entry_of_each_group() -> None:
    torch.manual_seed(0)
    bottleneck = Quantised(width=4, latent=4, codebook=8, groups=2)
    torch.nn.init.dirac_(bottleneck.code.weight)
    torch.nn.init.dirac_(bottleneck.back.weight)
    for layer in (bottleneck.code, bottleneck.back):
        assert layer.bias is not None
        torch.nn.init.zeros_(layer.bias)
    # Entries of unit power, as codes are: a code that equals an entry comes back as that entry.
    entries = torch.nn.functional.normalize(torch.randn(2, 8, 2), dim=-1) * 2**0.5
    bottleneck.entries = torch.nn.Parameter(entries)
    code = torch.cat((entries[0, 3], entries[1, 6])).reshape(1, 4, 1, 1)
    out, cost = bottleneck(code, None)
    torch.testing.assert_close(out, code)
    assert cost.item() == pytest.approx(0, abs=1e-10)


def test_a_member_of_the_family_is_tagged_by_what_its_fakes_are_told_apart_by() -> None:
    model = ReconstructionGAN(MEMBERS["vq-x4"])
    assert model.tags == fingerprint(MEMBERS["vq-x4"])
    assert (model.tags["family"], model.tags["upsampler"], model.tags["factor"]) == ("vq", "nearest", "4")


def test_a_perfect_twin_is_no_distance_away_and_a_thumbnail_is_as_far_as_itself() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    photographs = ImageSet(list(noise), crop=64)
    model = ReconstructionGAN(replace(MEMBERS["haar-x4"], factor=4)).eval()
    model.generator = nn.Identity()
    assert model.figures(photographs, torch.Generator())["l1_ratio"] == 0.0
    model.generator = nn.Sequential(nn.AvgPool2d(4), nn.Upsample(scale_factor=4))
    assert model.figures(photographs, torch.Generator())["l1_ratio"] == pytest.approx(1.0)


def test_training_brings_pictures_closer_and_the_run_loads_as_it_ended(tmp_path: Path) -> None:
    # Given shaded pictures and a fresh member
    rng = np.random.default_rng(0)
    ramps = np.linspace(0, 255, 32)[:, None, None] * rng.uniform(0, 1, (24, 1, 32, 3))
    data = ImageSet(ramps.astype(np.uint8))
    options = replace(OPTIMISATION, batch=8, total_images=8 * 60, precision="fp32")
    model = ReconstructionGAN(PRESETS["smoke"].config, options)
    images = data.draw(8, torch.Generator().manual_seed(0)).images
    before = (model.generator.eval()(images) - images).abs().mean().item()
    # When it trains
    train(model, data, out=tmp_path / "run", device="cpu")
    # Then the loaded member rebuilds better than the fresh one did, by far
    config, generator = load_member(tmp_path / "run")
    with torch.no_grad():
        after = (generator(images) - images).abs().mean().item()
    assert config == PRESETS["smoke"].config
    assert after < before / 2
