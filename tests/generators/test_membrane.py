"""The membrane carries the error at a hole's rim into the hole: closed forms, and the same from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from exports.to_onnx import Identity, Interface, export
from generators.data.masks import central_masks, free_form, side_mask
from generators.networks.gated import composed
from generators.networks.membrane import REACH, harmonised, membrane, widened

RNG = torch.Generator


def noise(height: int = 64, width: int = 64, seed: int = 0) -> Tensor:
    return torch.rand(2, 3, height, width, generator=RNG().manual_seed(seed)) * 2 - 1


def rim(mask: Tensor) -> Tensor:
    return widened(mask, 1) - mask


@pytest.mark.parametrize(
    "mask",
    [
        central_masks(2, 64, 64, 56),
        free_form(2, 64, 64, RNG().manual_seed(3)),
        side_mask(64, 64, "right", 0.75).expand(2, 1, 64, 64),
        side_mask(64, 96, "top", 0.25).expand(2, 1, 64, 96),
    ],
    ids=["square", "free", "three quarters", "wide"],
)
def test_a_picture_made_too_dark_is_lifted_by_as_much_everywhere(mask: Tensor) -> None:
    truth = noise(*mask.shape[2:])
    lifted = harmonised(truth - 0.3, truth, mask)
    hole = mask.expand_as(truth) > 0.5
    # Sums of some dozens of equal numbers over their count: rounding alone.
    assert torch.allclose(lifted[hole], truth[hole], atol=1e-5)


def test_where_what_is_made_fits_nothing_is_added() -> None:
    mask = free_form(2, 64, 64, RNG().manual_seed(1))
    truth = noise()
    made = torch.where(mask > 0.5, noise(seed=5), truth)
    assert torch.equal(harmonised(made, truth, mask), made)


@pytest.mark.parametrize("axis", [2, 3])
def test_an_error_that_rises_evenly_across_a_hole_is_carried_evenly(axis: int) -> None:
    mask = central_masks(1, 64, 64, 32)
    ramp = torch.linspace(-1, 1, 64).reshape([-1 if place == axis else 1 for place in range(4)])
    carried = membrane(ramp.expand(1, 3, 64, 64), rim(mask))
    # A plane is harmonic. Few sweeps come near it: by less than two of the ramp's steps of 2 / 63.
    assert ((carried - ramp) * mask).abs().max() < 4 / 63
    across = (carried * mask).sum((0, 1, 5 - axis)) / mask.sum((0, 1, 5 - axis)).clamp(min=1) / 3
    assert (across[16:48].diff() > 0).all()


def test_a_membrane_stays_between_the_values_it_hangs_on() -> None:
    mask = free_form(2, 64, 64, RNG().manual_seed(2))
    edge = rim(mask)
    values = noise()
    carried = membrane(values, edge)
    on_rim = edge.expand_as(values) > 0.5
    assert torch.equal(carried[on_rim], values[on_rim])
    assert carried.min() >= values[on_rim].min() - 1e-6
    assert carried.max() <= values[on_rim].max() + 1e-6


def test_the_step_into_a_hole_is_no_larger_than_the_pictures_own() -> None:
    mask = central_masks(2, 64, 64, 32)
    smooth = nn.functional.interpolate(noise(8, 8), size=(64, 64), mode="bicubic")
    filled = composed(harmonised(torch.zeros_like(smooth), smooth, mask), smooth, mask)
    edge = mask.diff(dim=3).abs()
    assert (filled.diff(dim=3).abs() * edge).sum() < 1.2 * (smooth.diff(dim=3).abs() * edge).sum()


def test_a_membrane_has_an_end_and_a_picture_without_rim_has_none() -> None:
    length = 2 * REACH + 96
    far = side_mask(16, length, "right", 1 - 16 / length)[None]
    carried = membrane(torch.ones(1, 1, 16, length), rim(far))[0, 0, 0]
    # It fades where the doublings mix its last cells of 16 px with empty ones.
    assert torch.allclose(carried[16 : REACH - 48], torch.ones(()), atol=1e-5)
    assert (carried[16 + 2 * REACH :] == 0).all()
    everything = torch.ones(1, 1, 64, 64)
    assert (membrane(noise(), rim(everything)) == 0).all()


def test_what_is_made_learns_through_the_membrane() -> None:
    mask = central_masks(2, 64, 64, 16)
    made = torch.zeros(2, 3, 64, 64, requires_grad=True)
    (harmonised(made, noise(), mask) * mask).sum().backward()
    assert made.grad is not None
    hole, edge = (area.expand_as(made) > 0.5 for area in (mask, rim(mask)))
    assert (made.grad[hole] == 1).all()
    # What is made on the rim is taken from the hole again, all 256 pixels of it.
    assert (made.grad[edge] < 0).any()
    assert made.grad.sum().abs().item() == pytest.approx(0, abs=1e-2)


class Harmonising(nn.Module):
    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return composed(harmonised(image.roll(1, 1) / 2, image, mask), image, mask)


def test_a_file_carries_the_membrane_at_every_size(tmp_path: Path) -> None:
    axes = ("batch", "height", "width")
    example = {"image": noise(64, 96), "mask": free_form(2, 64, 96, RNG().manual_seed(0))}
    shapes = {name: (axes[0], value.shape[1], *axes[1:]) for name, value in example.items()}
    interface = Interface(example, shapes, {"images": (axes[0], 3, *axes[1:])}, {"height": 16, "width": 16})
    net = Harmonising()
    export(net, tmp_path / "m.onnx", interface, Identity("membrane", "1"))
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    for height, width in ((16, 16), (64, 80), (256, 48), (528, 400)):
        image, mask = noise(height, width), free_form(2, height, width, RNG().manual_seed(9))
        found = session.run(None, {"image": image.numpy(), "mask": mask.numpy()})[0]
        expected = net(image, mask).numpy()
        assert np.abs(found - expected).max() <= 1e-5  # rounding of means of a few dozen numbers
        assert np.array_equal(found[:, :, mask[0, 0].numpy() < 0.5][0], image.numpy()[0][:, mask[0, 0] < 0.5])
