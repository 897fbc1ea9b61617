"""The facts of the DR-GAN and TP-GAN papers and of the code they are known by, held by `published`."""

from __future__ import annotations

from typing import TypeVar

import pytest
import torch
from torch import nn

from generators.catalogue import create
from generators.networks.two_pathways import PARTS
from generators.systems import dr_gan, tp_gan

Layer = TypeVar("Layer", bound=nn.Module)


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _all(kind: type[Layer], net: nn.Module) -> list[Layer]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def _dr_gan() -> dr_gan.DrGan:
    with torch.device("meta"):
        return dr_gan.DrGan(dr_gan.PRESETS["published"].config, dr_gan.PRESETS["published"].optimisation)


def _tp_gan() -> tp_gan.TpGan:
    with torch.device("meta"):
        return tp_gan.TpGan(tp_gan.PRESETS["published"].config, tp_gan.PRESETS["published"].optimisation)


def test_the_encoder_of_dr_gan_is_the_casia_net_and_the_decoder_its_mirror_image() -> None:
    generator = _dr_gan().generator
    down = _all(nn.Conv2d, generator.encode)
    assert [layer.out_channels for layer in down] == [
        *(32, 64, 64, 64, 128, 128, 96, 192, 192, 128, 256, 256, 160, 320)
    ]
    assert [n for n, layer in enumerate(down) if layer.stride == (2, 2)] == [2, 5, 8, 11]
    up = _all(nn.ConvTranspose2d, generator.decode)
    assert [layer.out_channels for layer in up] == [
        *(160, 256, 256, 128, 192, 192, 96, 128, 128, 64, 64, 64, 32, 3)
    ]
    assert [n for n, layer in enumerate(up) if layer.stride == (2, 2)] == [2, 5, 8, 11]
    assert {layer.kernel_size for layer in [*down, *up]} == {(3, 3)}
    # 320 features, nine poses and fifty numbers of noise become 320 maps of 6 x 6.
    assert (generator.decode.dense.in_features, generator.decode.dense.out_features) == (379, 11_520)
    assert _weights(generator) == pytest.approx(10.1e6, rel=1e-3)


def test_dr_gan_makes_faces_of_96_pixels_and_its_discriminator_answers_three_questions() -> None:
    model = _dr_gan()
    faces = torch.empty(2, 3, 96, 96, device="meta")
    yaw, noise = torch.empty(2, device="meta"), torch.empty(2, 50, device="meta")
    assert model.generator(faces, yaw, noise).shape == (2, 3, 96, 96)
    assert model.discriminator(faces).shape == (2, 200 + 1 + 9)
    assert len(_all(nn.BatchNorm2d, model.discriminator)) == 14


def test_dr_gan_trains_as_published() -> None:
    preset = dr_gan.PRESETS["published"]
    options, config = preset.optimisation, preset.config
    assert (options.batch, options.generator_lr, options.discriminator_lr) == (64, 2e-4, 2e-4)
    assert (options.betas, options.penalty) == ((0.5, 0.999), "none")
    assert (options.discriminator_steps, options.generator_steps) == (1, 1)
    assert (config.identity_weight, config.pose_weight) == (1, 1)
    # The turning network and what it is held to are the shipped preset's alone.
    assert not config.turning
    assert config.mirror_weight == config.pair_weight == config.estimate_weight == config.paint_weight == 0


def test_first_weights_of_both_papers_deviate_by_a_fiftieth() -> None:
    for name, share in (("dr_gan", {"share": 0.25}), ("tp_gan", {"width": 16, "discriminator_width": 8})):
        model = create(name, "published", **share)
        layers = [*_all(nn.Conv2d, model), *_all(nn.ConvTranspose2d, model)]
        drawn = torch.cat([layer.weight.detach().flatten() for layer in layers])
        assert float(drawn.std()) == pytest.approx(0.02, rel=0.01)  # over 100 000 draws: 0.3 % off


def _conv(inputs: int, outputs: int, kernel: int = 3, *, norm: bool = False) -> int:
    return kernel**2 * inputs * outputs + outputs + (2 * outputs if norm else 0)


def _residual(channels: int, kernel: int = 3) -> int:
    return 2 * _conv(channels, channels, kernel, norm=True)


def test_the_global_pathway_has_the_released_layers() -> None:
    generator = _tp_gan().generator
    encoder = _conv(6, 64, 7) + _residual(64, 7) + _conv(64, 64, 5, norm=True) + _residual(64, 5)
    encoder += sum(_conv(w // 2, w, norm=True) + _residual(w) for w in (128, 256)) + _conv(
        256, 512, norm=True
    )
    encoder += 4 * _residual(512) + (512 * 8 * 8 + 1) * 512
    assert _weights(generator.encode) == encoder
    decoder = (356 + 1) * 8 * 8 * 64 + _conv(64, 32) + _conv(32, 16) + _conv(16, 8)
    decoder += 3 * _residual(576, 2) + _conv(576, 512, norm=True)
    decoder += _residual(256) + 2 * _residual(768) + _conv(768, 256, norm=True)
    decoder += _residual(128 + 6 + 32) + 2 * _residual(422) + _conv(422, 3) + _conv(422, 128, norm=True)
    decoder += _residual(64 + 6 + 16, 5) + 2 * _residual(217) + _conv(217, 3) + _conv(217, 64, norm=True)
    decoder += _residual(64 + 8 + 6, 7) + _residual(212, 5) + _conv(212, 64, 5, norm=True)
    decoder += _residual(64) + _conv(64, 32, norm=True) + _conv(32, 3)
    assert _weights(generator.decode) == decoder


def test_the_local_pathway_is_four_u_nets_at_the_mean_landmarks() -> None:
    generator = _tp_gan().generator
    net = _conv(3, 64) + _residual(64)
    net += sum(_conv(w // 2, w, norm=True) + _residual(w) for w in (128, 256, 512)) + _residual(512)
    net += sum(2 * _conv(2 * w, w, norm=True) + _residual(w) for w in (256, 128, 64)) + _conv(64, 3)
    assert _weights(generator.local["nose"]) == net
    assert _weights(generator.local["eye_right"]) == net + 9 * 3 * 64  # it sees the left eye too
    sizes = {part: generator.patches[part][2:] for part in PARTS}
    assert sizes == {"eye_left": (40, 40), "eye_right": (40, 40), "nose": (40, 32), "mouth": (48, 32)}
    # The released paddings put a part of width w around x at x - w / 2 - 1.
    middles = {
        part: (left + w // 2 + 1, top + h // 2 + 1) for part, (left, top, w, h) in generator.patches.items()
    }
    assert middles == {"eye_left": (44, 41), "eye_right": (86, 41), "nose": (64, 65), "mouth": (65, 89)}


def test_tp_gan_makes_faces_of_three_sizes_and_judges_sixteen_places() -> None:
    model = _tp_gan()
    source, noise = torch.empty(2, 3, 128, 128, device="meta"), torch.empty(2, 100, device="meta")
    faces, parts, code = model.generator.stages(source, noise)
    assert [face.shape[-1] for face in faces] == [128, 64, 32]
    assert parts["mouth"].shape == (2, 3, 32, 48)
    assert code.shape == (2, 256)
    assert model.discriminator(source).shape == (2, 4, 4)
    critic = _conv(3, 64) + sum(
        _conv(i, o, norm=True) for i, o in ((64, 128), (128, 256), (256, 512), (512, 512))
    )
    critic += 2 * _residual(512) + _conv(512, 1, 1)
    assert _weights(model.discriminator.layers) + _weights(model.discriminator.judge) == critic


def test_tp_gan_trains_as_released() -> None:
    preset = tp_gan.PRESETS["published"]
    options, config = preset.optimisation, preset.config
    # The flag of the released script says 20; the class that trains takes 10, whatever the flag.
    assert (options.batch, options.generator_lr, options.discriminator_lr) == (10, 1e-4, 1e-4)
    assert options.betas == (0.9, 0.999)
    assert (options.discriminator_steps, options.generator_steps) == (1, 2)
    assert config.scale_weights == (1, 1, 1.5)
    assert (config.symmetry_weight, config.adversarial_weight, config.feature_weight) == (0.3, 20, 40)
    assert (config.identity_weight, config.variation_weight, config.part_weight) == (10, 1e-3, 3)
    assert tp_gan.REAL == 0.9
    assert not config.turn
