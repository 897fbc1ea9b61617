"""pix2pix and CycleGAN: what their losses are made of, and that they learn to translate."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evidence.errors import UsageError
from generators import catalogue
from generators.contract import AdversarialModel, Batch
from generators.networks.resnet import ResnetTranslator
from generators.networks.upsamplers import UPSAMPLERS
from generators.systems import cyclegan, pix2pix
from generators.training.pool import ImagePool
from generators.training.step import Run
from tests.toy_gan import Conditioned


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _batch(model: AdversarialModel, count: int = 4) -> Batch:
    return Conditioned(model.image_shape).draw(count, _rng())


class _Fixed(nn.Module):
    """Answers with what it was given to answer with, whatever the input."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, *_: Tensor, **__: bool) -> Tensor:
        return self.answer


class _Painted:
    """Pairs whose picture is the negative of their source, and unpaired halves of the same."""

    sha256: dict[str, str] = {}  # noqa: RUF012
    names: dict[str, tuple[str, ...]] = {}  # noqa: RUF012

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return 1000

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        def blocks() -> Tensor:
            coarse = torch.rand(count, 3, 4, 4, generator=rng) * 1.6 - 0.8
            return F.interpolate(coarse, size=(self.size, self.size), mode="nearest").to(device)

        source = blocks()
        return Batch(-source, extra={"condition": source, "other": blocks()})


def test_the_generator_of_pix2pix_pays_a_hundredfold_for_distance_and_the_discriminator_half() -> None:
    model = catalogue.create("pix2pix", "smoke", batch=4)
    assert isinstance(model, pix2pix.Pix2pix)
    batch = _batch(model)
    model.generator = _Fixed(batch.images - 0.25)  # type: ignore[assignment]
    model.discriminator = _Fixed(torch.zeros(4, 3, 3))  # type: ignore[assignment]
    # -log s(0) is log 2; the two halves of the discriminator's loss add up to 2 log 2.
    assert float(model.generator_loss(batch, _rng()).total) == pytest.approx(0.6931 + 100 * 0.25, abs=1e-3)
    assert float(model.discriminator_loss(batch, _rng()).total) == pytest.approx(0.6931, abs=1e-4)


def test_cyclegan_pays_for_logits_cycles_and_identity_by_their_weights() -> None:
    model = catalogue.create("cyclegan", "smoke", batch=4, identity_weight=5.0)
    assert isinstance(model, cyclegan.CycleGan)
    batch = _batch(model)
    shift = 0.1
    model.generator.forwards = _Shift(shift)  # type: ignore[assignment]
    model.generator.backwards = _Shift(shift)  # type: ignore[assignment]
    model.discriminator = _Fixed(torch.full((4, 2, 2), 0.5))  # type: ignore[assignment]
    # (0.5 - 1)^2 for each domain; each cycle is off by two shifts, each identity by one.
    expected = 2 * 0.25 + 10 * 2 * 2 * shift + 5 * 2 * shift
    assert float(model.generator_loss(batch, _rng()).total) == pytest.approx(expected, abs=1e-4)
    # Half of 0.5^2 for reals and fakes of each of the two domains.
    assert float(model.discriminator_loss(batch, _rng()).total) == pytest.approx(4 * 0.125, abs=1e-5)


class _Shift(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, images: Tensor) -> Tensor:
        return images + self.by


def test_without_its_weight_the_identity_costs_nothing() -> None:
    model = catalogue.create("cyclegan", "smoke", batch=4, identity_weight=0.0)
    assert "identity" not in model.generator_loss(_batch(model), _rng()).parts


def test_samples_answer_the_source_and_not_the_truth() -> None:
    for name, source in (("pix2pix", "condition"), ("cyclegan", "other")):
        model = catalogue.create(name, "smoke").eval()
        batch = _batch(model)
        changed = Batch(-batch.images, extra=batch.extra)
        assert torch.equal(model.sample(batch, 4, _rng()), model.sample(changed, 4, _rng()))
        other = Batch(batch.images, extra=batch.extra | {source: -batch.extra[source]})
        assert not torch.equal(model.sample(batch, 4, _rng()), model.sample(other, 4, _rng()))
        shown = model.shown(batch)
        assert shown is not None
        assert torch.equal(shown, batch.extra[source])


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_without_pictures_to_answer_they_say_so(name: str) -> None:
    with pytest.raises(UsageError, match="answers pictures"):
        catalogue.create(name, "smoke").sample(None, 2, _rng())


@pytest.mark.parametrize("up", UPSAMPLERS)
def test_every_upsampler_translates_any_multiple_of_four(up: str) -> None:
    model = catalogue.create("cyclegan", "smoke", up=up).eval()
    assert model.fingerprint()["upsampler"] == up
    for part in model.parts:
        assert model.exported(part)(torch.zeros(2, 3, 20, 36)).shape == (2, 3, 20, 36)


def test_a_residual_translator_adds_to_its_source() -> None:
    translator = ResnetTranslator(width=4, blocks=1, up="nearest", residual=True)
    last = next(layer for layer in reversed(translator.layers) if isinstance(layer, nn.Conv2d))
    nn.init.zeros_(last.weight)
    source = torch.rand(2, 3, 16, 16, generator=_rng()) * 2 - 1
    assert torch.equal(translator(source), source)
    assert last.bias is not None
    nn.init.constant_(last.bias, 3.0)
    assert torch.equal(translator.train()(source), source + 3)  # a clamp would give no gradient
    assert torch.equal(translator.eval()(source), torch.ones_like(source))


@pytest.mark.parametrize(
    ("name", "options"),
    [("pix2pix", {"image_size": 100}), ("cyclegan", {"image_size": 30}), ("cyclegan", {"up": "magic"})],
)
def test_sizes_and_operators_that_cannot_be_built_are_refused(name: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"cannot be built|cannot be halved|no upsampler"):
        catalogue.create(name, "smoke", **options)


def test_the_two_parts_are_the_two_directions() -> None:
    model = catalogue.create("cyclegan", "smoke").eval()
    inputs = model.export_inputs(2)
    there, back = (model.exported(part)(**inputs) for part in ("forward", "backward"))
    assert not torch.equal(there, back)
    batch = Batch(inputs["source"], extra={"other": inputs["source"]})
    assert torch.equal(model.sample(batch, 2, _rng()), there)


def test_the_domains_of_the_data_go_into_the_config() -> None:
    model = catalogue.create("cyclegan", "smoke")
    data = Conditioned(model.image_shape)
    assert model.fitted(data).domains == ("A", "B")
    data.names["domains"] = ("horse", "zebra")
    assert model.fitted(data).domains == ("horse", "zebra")


@pytest.mark.parametrize("penalty", ["r1", "gp"])
@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_penalties_reach_the_discriminators_with_what_they_look_at(name: str, penalty: str) -> None:
    model = catalogue.create(name, "smoke", batch=2, penalty=penalty, penalty_weight=1.0)
    losses = Run(model, Conditioned(model.image_shape), seed=0, device=torch.device("cpu")).advance()
    assert losses["penalty"] > 0


def test_pix2pix_learns_a_negative_from_pairs() -> None:
    model = catalogue.create(
        "pix2pix",
        "smoke",
        image_size=16,
        width=8,
        batch=8,
        generator_lr=2e-3,
        ema_half_life_images=0.0,
        total_images=1200,
    )
    run = Run(model, _Painted(16), seed=0, device=torch.device("cpu"))
    for _ in range(150):
        run.advance()
    batch = _Painted(16).draw(16, _rng(9))
    # A grey picture is 0.4 off on average, the source itself 0.8; both far above what it must reach.
    assert float(F.l1_loss(run.samples(batch, _rng()), batch.images)) < 0.2


def test_an_empty_pool_fills_and_hands_back_what_it_was_given() -> None:
    pool, images = ImagePool(3, (1, 2, 2)), torch.randn(3, 1, 2, 2)
    assert torch.equal(pool.exchange(images, _rng()), images)
    assert int(pool.count) == 3
    assert torch.equal(pool.held, images)


def test_a_full_pool_swaps_half_of_the_pictures_and_loses_none() -> None:
    pool = ImagePool(50, (1, 1, 1))
    pool.exchange(torch.arange(50.0).reshape(50, 1, 1, 1), _rng())
    new = torch.arange(50.0, 450.0).reshape(400, 1, 1, 1)
    given = pool.exchange(new, _rng(1))
    old = (given != new).float().mean().item()
    assert 0.42 < old < 0.58  # 400 fair coins: three deviations are 0.075
    together = torch.cat((given, pool.held)).flatten().sort().values
    assert torch.equal(together, torch.arange(450.0))


def test_a_pool_of_none_is_no_pool() -> None:
    images = torch.randn(4, 1, 2, 2)
    assert ImagePool(0, (1, 2, 2)).exchange(images, _rng()) is images
