"""The residual bank: silent on flat pictures, exact on known neighbours, NPR among its channels."""

import torch
from torch.nn import functional as F

from detector.stems import NAMES, ResidualStem


def residual(pixels: torch.Tensor, name: str) -> torch.Tensor:
    """One filter's channels (4, H / 2, W / 2), one for each position of the 2 x 2 block."""
    index = 4 * NAMES.index(name)
    return ResidualStem()(pixels)[0, index : index + 4]


def test_a_flat_picture_leaves_no_residual_not_even_at_the_border() -> None:
    assert ResidualStem()(torch.full((1, 3, 64, 72), 200.0)).abs().max() == 0


def test_a_ramp_is_seen_by_first_differences_and_by_no_second_one() -> None:
    ramp = torch.arange(64.0).expand(1, 3, 64, 64)

    inside = (slice(None), slice(1, -1), slice(1, -1))
    assert (residual(ramp, "right")[inside] == 1 / 16).all()
    assert residual(ramp, "below").abs().max() == 0
    for name in ("haar", "square", "wide square", "ker-bohme", "red square", "blue square"):
        assert residual(ramp, name).abs().max() == 0


def test_residuals_are_truncated() -> None:
    pixels = torch.randint(0, 2, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 255.0

    assert ResidualStem()(pixels).abs().max() == 1


def test_three_channels_are_the_nearest_phase_residual() -> None:
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(100, 108, (1, 3, 64, 64), generator=rng).float()
    luma = (pixels[:, :1] + 2 * pixels[:, 1:2] + pixels[:, 2:]) / 4
    coarse = F.interpolate(luma[:, :, ::2, ::2], scale_factor=2, mode="nearest")
    phases = F.pixel_unshuffle(luma - coarse, 2)[0]  # NPR: x - up(down(x)), (4, 32, 32)

    inside = (slice(1, -1), slice(1, -1))
    for phase, name in ((1, "right"), (2, "below"), (3, "diagonal")):
        assert torch.equal(residual(pixels, name)[0][inside] * 16, phases[phase][inside])
