"""Every upsampling operator doubles the size, exports with free sizes, and is what its name says."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from generators.networks.upsamplers import (
    UPSAMPLERS,
    Haar,
    Interpolation,
    Unpooled,
    bicubic_taps,
    sinc_taps,
    upsampler,
)


@pytest.mark.parametrize("name", UPSAMPLERS)
def test_it_doubles_height_and_width_and_trains(name: str) -> None:
    operator = upsampler(name, 6, 4)
    out = operator(torch.randn(2, 6, 5, 9))
    assert out.shape == (2, 4, 10, 18)
    out.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in operator.parameters())


def test_no_two_operators_write_the_same_picture() -> None:
    # The spectrum of what each makes of one impulse, weights drawn from one seed.
    impulse = torch.zeros(1, 3, 8, 8)
    impulse[..., 4, 4] = 1
    pictures = []
    for name in UPSAMPLERS:
        torch.manual_seed(0)
        pictures.append(upsampler(name, 3, 2)(impulse).detach())
    for index, one in enumerate(pictures):
        assert all((one - other).abs().max() > 1e-3 for other in pictures[index + 1 :])


@pytest.mark.parametrize(("taps", "mode"), [((0.25, 0.75), "bilinear"), (bicubic_taps(), "bicubic")])
def test_an_interpolation_is_the_one_torch_knows(taps: tuple[float, ...], mode: str) -> None:
    images = torch.randn(2, 3, 7, 6)
    known = F.interpolate(images, scale_factor=2, mode=mode)
    # 2e-6: sums of at most 16 products in fp32.
    torch.testing.assert_close(Interpolation(taps)(images), known, atol=2e-6, rtol=0)


def test_the_sinc_keeps_a_wave_that_bilinear_dulls() -> None:
    # A cosine of period 4 input pixels, sampled a quarter pixel off on either side.
    inputs = torch.arange(32.0)
    wave = torch.cos(torch.pi / 2 * inputs).expand(1, 1, 4, 32)
    outputs = torch.arange(64.0) / 2 - 0.25
    wanted = torch.cos(torch.pi / 2 * outputs).expand(8, 64)[:, 12:-12]

    def error(taps: tuple[float, ...]) -> float:
        return float((Interpolation(taps)(wave)[0, 0, :, 12:-12] - wanted).abs().max())

    assert sum(sinc_taps()) == pytest.approx(1)
    assert error(sinc_taps()) < 0.02 < 0.1 < error((0.25, 0.75))


def test_haar_undoes_the_haar_transform() -> None:
    picture = torch.randn(1, 1, 8, 8)
    a, b, c, d = (picture[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    bands = torch.cat((a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d), 1) / 2
    haar = Haar(4, 1)
    haar.bands = nn.Identity()
    torch.testing.assert_close(haar(bands), picture)


def test_a_certain_switch_puts_the_whole_value_in_one_place() -> None:
    unpooled = Unpooled(5, 1)
    unpooled.values, unpooled.conv = nn.Identity(), nn.Identity()
    values_and_switches = torch.tensor([3.0, -50, -50, 50, -50]).reshape(1, 5, 1, 1)
    torch.testing.assert_close(unpooled(values_and_switches)[0, 0], torch.tensor([[0.0, 0], [6, 0]]))


def test_the_exported_operators_take_any_size(tmp_path: Path) -> None:
    # All in one graph: the exporter costs seconds a call.
    class Every(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.operators = nn.ModuleList(upsampler(name, 4, 2) for name in UPSAMPLERS)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cat([operator(images) for operator in self.operators], 1)

    every, path = Every().eval(), tmp_path / "every.onnx"
    sides = {axis: torch.export.Dim(f"side{axis}", min=2, max=64) for axis in (2, 3)}
    example = (torch.randn(2, 4, 8, 6),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            every, example, path, dynamo=True, opset_version=18, external_data=False, dynamic_shapes=(sides,)
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = torch.randn(2, 4, 11, 17)
    (out,) = session.run(None, {"images": images.numpy()})
    # 1e-5: fp32 sums in another order.
    np.testing.assert_allclose(out, every(images).detach().numpy(), atol=1e-5)
