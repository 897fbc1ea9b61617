"""Holes in pictures: what they look like, how filling them is judged, and that the rest stays untouched."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import Batch
from generators.data.masks import SIDES, central_masks, free_form, side_mask, side_masks
from generators.holes import HoleModel, figures_of, sums
from generators.networks.gated import GatedConv
from generators.networks.membrane import widened
from generators.systems.context_encoder import ContextEncoder
from generators.systems.inpainting import Inpainting, windows
from generators.training.step import Run
from tests.toy_gan import pictures

RNG = torch.Generator
SYSTEMS = ("context_encoder", "inpainting", "outpainting")


class Plain:
    """Pictures dark or bright all over."""

    def __init__(self, side: int = 32) -> None:
        self.side = side
        self.sha256: dict[str, str] = {}
        self.names: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return 1

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        tones = torch.where(torch.rand(count, 1, 1, 1, generator=rng) < 0.5, -0.6, 0.6)
        return Batch(tones.expand(count, 3, self.side, self.side).to(device).contiguous())


def smoke(name: str) -> HoleModel:
    model = catalogue.create(name, "smoke")
    assert isinstance(model, HoleModel)
    return model.eval()


def noise(model: HoleModel, count: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(count, *model.image_shape, generator=RNG().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_known_pixels_are_the_given_ones_to_the_bit(name: str) -> None:
    model = smoke(name)
    images, masks = noise(model), model.masks(3, RNG().manual_seed(1))
    filled = model.generator(images, masks)
    known = (masks < 0.5).expand_as(images)
    assert torch.equal(filled[known], images[known])
    assert not torch.isclose(filled, images)[~known].all()


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_lies_in_the_hole_cannot_be_seen(name: str) -> None:
    model = smoke(name)
    images, masks = noise(model), model.masks(3, RNG().manual_seed(1))
    others = torch.where(masks > 0.5, noise(model, seed=9), images)
    made, again = model.generator(images, masks), model.generator(others, masks)
    hole = (masks > 0.5).expand_as(images)
    assert torch.equal(made[hole], again[hole])


@pytest.mark.parametrize("name", ["inpainting", "outpainting"])
def test_the_band_around_a_hole_is_hidden_and_only_its_rim_carried_in(name: str) -> None:
    model = smoke(name)
    assert model.config.band == 2
    images, masks = noise(model), model.masks(3, RNG().manual_seed(1))
    outer = widened(masks, 2) - widened(masks, 1)
    rim = widened(masks, 1) - masks
    hole = (masks > 0.5).expand_as(images)
    made = model.generator(images, masks)
    assert torch.equal(model.generator(images + 0.1 * outer, masks)[hole], made[hole])
    assert not torch.equal(model.generator(images + 0.1 * rim, masks)[hole], made[hole])


def test_outpainting_is_tagged_by_the_norm_it_has() -> None:
    found = {
        preset: catalogue.create("outpainting", preset).fingerprint() for preset in ("smoke", "published")
    }
    assert found["smoke"]["normalisation"] == "none"
    assert found["published"]["normalisation"] == "instance"


@pytest.mark.parametrize("name", ["inpainting", "outpainting"])
def test_pictures_of_any_size_in_sixteens_are_filled(name: str) -> None:
    model = smoke(name)
    image, mask = torch.zeros(1, 3, 48, 80), torch.zeros(1, 1, 48, 80)
    mask[:, :, 10:30, 50:] = 1
    assert model.generator(image, mask).shape == image.shape


def test_the_context_encoder_makes_all_that_is_marked_in_a_square_picture() -> None:
    model = smoke("context_encoder")
    image = torch.full((1, 3, 32, 32), 0.5)
    everything = torch.ones(1, 1, 32, 32)
    filled = model.generator(image, everything)
    assert torch.equal(filled[:, :, 0, 10], filled[:, :, 8, 10])  # the square's border, repeated outwards
    assert not torch.isclose(filled, image).any()


def test_errors_in_the_band_known_to_both_count_ten_times() -> None:
    model = smoke("context_encoder")
    assert isinstance(model, ContextEncoder)
    weights = model.band_weights(torch.device("cpu"))[0, 0]
    assert weights.shape == (16, 16)
    assert (weights[2:-2, 2:-2] == 1).all()
    assert weights.sum() == 12 * 12 + 10 * (16 * 16 - 12 * 12)


def test_free_form_holes_have_a_box_and_follow_the_generator_of_randomness() -> None:
    first, again = (free_form(20, 64, 64, RNG().manual_seed(4)) for _ in range(2))
    other = free_form(20, 64, 64, RNG().manual_seed(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert set(first.flatten().tolist()) == {0.0, 1.0}
    share = first.mean((1, 2, 3))
    # The box is 32 px wide less 8 at most, so at least (24 / 64)^2; strokes add to it.
    assert share.min() >= (24 / 64) ** 2 - 0.02
    assert share.max() < 0.9


def test_sides_to_extend_are_a_quarter_a_half_or_three_quarters() -> None:
    masks = side_masks(200, 32, 64, RNG().manual_seed(0))
    assert sorted(set(masks.mean((1, 2, 3)).tolist())) == [0.25, 0.5, 0.75]
    corners = {(float(m[0, 0, 0]), float(m[0, 0, -1]), float(m[0, -1, 0])) for m in masks}
    assert len(corners) == len(SIDES)


def test_a_side_is_where_its_name_says() -> None:
    assert side_mask(4, 8, "right", 0.25)[0].sum(0).tolist() == [0, 0, 0, 0, 0, 0, 4, 4]
    assert side_mask(4, 8, "top", 0.5)[0].sum(1).tolist() == [8, 8, 0, 0]
    with pytest.raises(UsageError, match="left, right, top, bottom"):
        side_mask(4, 8, "front", 0.5)


def test_a_photograph_put_back_is_judged_perfect() -> None:
    truth = torch.rand(2, 3, 16, 16, generator=RNG().manual_seed(0)) * 2 - 1
    found = figures_of(sums(truth, truth, central_masks(2, 16, 16, 8)))
    assert found["hole_l1"] == found["hole_l1_ratio"] == found["changed_pixels"] == 0
    assert found["seam_ratio"] == 1


def test_figures_of_a_hole_agree_with_hand_counts() -> None:
    truth = torch.zeros(1, 3, 8, 8)
    truth[:, :, :, 4:] = 1.0  # an edge in the middle of the hole: the known half is of mean 0.5
    masks = central_masks(1, 8, 8, 4)
    filled = torch.where(masks > 0.5, torch.tensor(0.5), truth)
    filled[0, 1, 0, 0] = 0.25  # one known pixel changed
    found = figures_of(sums(filled, truth, masks))
    assert found["hole_l1"] == pytest.approx(0.25)  # 0.5 of a range of 2
    assert found["hole_psnr"] == pytest.approx(12.041, abs=1e-3)  # -20 log10(0.25)
    assert found["hole_l1_ratio"] == pytest.approx(1.0)
    assert found["changed_pixels"] == 1


def test_the_seam_ratio_is_the_step_over_the_photographs_step() -> None:
    ramp = torch.arange(16.0).div(16).expand(1, 3, 16, 16)
    masks = central_masks(1, 16, 16, 8)
    # In the hole the ramp is a quarter higher, by four of its steps: columns step 5 and 3, rows 4 and 4.
    filled = ramp + 0.25 * masks
    found = figures_of(sums(filled, ramp, masks))
    assert found["seam_ratio"] == pytest.approx((8 * (5 + 3) + 8 * (4 + 4)) / (8 * (1 + 1)))


def test_the_local_critics_window_surrounds_the_hole_inside_the_picture() -> None:
    masks = torch.zeros(2, 1, 16, 16)
    masks[0, :, 6:10, 8:12] = 1  # in the middle
    masks[1, :, :2, :2] = 1  # in a corner
    places = torch.arange(256.0).reshape(1, 1, 16, 16).expand(2, 1, 16, 16)
    cut = windows(places, masks, 8)
    assert cut.shape == (2, 1, 8, 8)
    assert cut[0, 0, 0, 0] == 16 * 4 + 6  # the hole's middle is (7.5, 9.5), rounded to even
    assert cut[1, 0, 0, 0] == 0


def test_the_critics_see_the_whole_picture_and_the_window() -> None:
    both = smoke("inpainting")
    assert isinstance(both, Inpainting)
    images, masks = noise(both), both.masks(3, RNG().manual_seed(1))
    alone = catalogue.create("inpainting", "smoke", local=0).eval()
    # 32 px in three halvings and 16 px in two: 4 x 4 places each, of 16 and of 8 channels.
    assert both.discriminator(images, masks).shape == (3, 16 * 16 + 16 * 8)
    assert alone.discriminator(images, masks).shape == (3, 16 * 16)


def test_unit_variance_passes_through_a_gated_convolution() -> None:
    torch.manual_seed(0)
    layer = GatedConv(64, 64)
    with torch.no_grad():
        out = layer(torch.randn(4, 64, 16, 16))
    # One layer of 64 channels; borders, where taps are missing, hold it down.
    assert out.square().mean().item() == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_gradient_penalty_finds_the_critic_with_a_mask_of_its_own(name: str) -> None:
    model = catalogue.create(name, "smoke", penalty="r1", penalty_weight=1.0, batch=2)
    losses = Run(model, pictures(model.image_shape), seed=0, device=torch.device("cpu")).advance()
    assert losses["penalty"] > 0


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("inpainting", {"image_size": 66}),
        ("inpainting", {"image_size": 72}),  # in fours, but the membrane takes sixteens
        ("inpainting", {"local": 128}),
        ("context_encoder", {"image_size": 96}),
        ("context_encoder", {"hole": 128}),
        ("context_encoder", {"overlap": 32}),
        ("context_encoder", {"overlap": 0}),  # nothing for the membrane to hang on
        ("outpainting", {"image_size": 8}),
        ("outpainting", {"image_size": 100}),
    ],
)
def test_sizes_that_do_not_fit_are_wrong_usage(name: str, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="Take"):
        catalogue.preset(name, "shipped", **wrong)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("context_encoder", {"reconstruction_weight": 1.0, "generator_lr": 5e-3}),
        ("inpainting", {"adversarial_weight": 0.0, "generator_lr": 5e-3, "width": 4}),
        ("outpainting", {"adversarial_weight": 0.0, "generator_lr": 1e-2}),
    ],
)
def test_a_hole_is_filled_from_what_is_known_after_seconds(name: str, options: dict[str, Any]) -> None:
    model = catalogue.create(name, "smoke", ema_half_life_images=0.0, total_images=1_000, **options)
    run = Run(model, Plain(), seed=0, device=torch.device("cpu"))
    for _ in range(80):
        run.advance()
    with torch.no_grad():
        found = model.eval().figures(Plain(), RNG().manual_seed(0))
    assert found["changed_pixels"] == 0
    assert found["hole_l1"] < 0.2  # a middle grey misses each by 0.3
