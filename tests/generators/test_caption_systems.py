"""TAC-GAN and AttnGAN in training: encoders first, then frozen; conditions reach the picture."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor

from evidence.errors import DataError
from generators import catalogue
from generators.contract import Batch
from generators.text.model import CaptionModel, mean_where
from generators.training.step import Run
from tests.toy_gan import Conditioned

SYSTEMS = ("tac_gan", "attngan")


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _model(name: str, **options: object) -> CaptionModel:
    model = catalogue.create(name, "smoke", **options)
    config = model.fitted(Conditioned(model.image_shape))
    fresh = catalogue.build(name, config, model.optimisation)
    assert isinstance(fresh, CaptionModel)
    return fresh


def _begin(name: str) -> Run:
    model = _model(name, matching_images=8)
    return Run(model, Conditioned(model.image_shape), seed=3, device=torch.device("cpu"))


def _state(module: torch.nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def _alike(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_encoders_learn_first_while_the_players_wait_and_are_then_frozen(name: str) -> None:
    run = _begin(name)
    assert isinstance(run.model, CaptionModel)
    encoders, generator = _state(run.model.matcher), _state(run.model.generator)
    losses = run.advance()
    assert "sentence_match" in losses
    learnt = _state(run.model.matcher)
    assert not _alike(encoders, learnt)
    assert _alike(generator, _state(run.model.generator))
    run.advance()

    learnt = _state(run.model.matcher)
    run.advance()  # 8 images are seen
    assert _alike(learnt, _state(run.model.matcher))
    assert not run.model.matcher.training
    assert not _alike(generator, _state(run.model.generator))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_resumed_across_the_phases_goes_on_to_the_bit(name: str) -> None:
    whole = _begin(name)
    for _ in range(4):
        whole.advance()
    half = _begin(name)
    half.advance()
    stored = io.BytesIO()
    torch.save(half.state(), stored)
    stored.seek(0)
    resumed = _begin(name)
    resumed.restore(torch.load(stored, weights_only=True))
    for _ in range(3):
        resumed.advance()
    assert _alike(_state(whole.model), _state(resumed.model))


@pytest.mark.parametrize("name", SYSTEMS)
def test_another_caption_gives_another_picture_and_what_fills_it_up_does_not(name: str) -> None:
    model = _model(name).eval()
    tokens = torch.tensor([[2, 3, 4], [5, 6, 7]])
    padded = torch.nn.functional.pad(tokens, (0, 40))

    def drawn(words: Tensor) -> Tensor:
        return model.sample(Batch(torch.empty(2, 0), extra={"tokens": words}), 2, _rng())

    assert torch.equal(drawn(tokens), drawn(padded))  # cut and filled to the config's length
    assert not torch.equal(drawn(tokens), drawn(tokens.flip(0)))


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_exported_graph_draws_what_sampling_draws(name: str) -> None:
    model = _model(name).eval()
    inputs = model.export_inputs(3)
    batch = Batch(torch.empty(3, 0), extra={"tokens": inputs["tokens"]})
    latents = [value for key, value in inputs.items() if key != "tokens"]
    assert torch.allclose(model.exported()(**inputs), model.generator(model.read(batch), *latents), atol=1e-6)
    assert inputs["tokens"].min() == 0
    assert (inputs["tokens"][:, 0] > 0).all()
    assert model.inputs()["tokens"].names == model.config.words


def test_a_set_without_captions_is_refused_in_words() -> None:
    model = _model("attngan")
    with pytest.raises(DataError, match="no caption"):
        model.sample(None, 2, _rng())
    bare = Conditioned(model.image_shape)
    bare.names = {}
    with pytest.raises(DataError, match="no captions"):
        model.fitted(bare)


def test_a_caption_of_the_same_meaning_is_no_wrong_caption() -> None:
    model = _model("tac_gan")
    tokens = torch.tensor([[2, 3], [3, 2], [4, 4]])
    assert model.wrong(tokens).tolist() == [0.0, 1.0, 1.0]
    losses = torch.tensor([5.0, 1.0, 3.0])
    assert mean_where(losses, model.wrong(tokens)).item() == 2.0
    assert mean_where(losses, torch.zeros(3)).item() == 0.0


def test_the_stages_of_attngan_double_twice_and_their_reals_are_means() -> None:
    model = _model("attngan").eval()
    assert hasattr(model, "views")
    batch = Conditioned(model.image_shape).draw(2, _rng())
    drawn = model.generator.stages(model.read(batch), *model.latents(2, _rng()).values())  # type: ignore[operator]
    assert [image.shape[2] for image in drawn.images] == [8, 16, 32]
    views = model.views(batch.images)
    assert [view.shape[2] for view in views] == [8, 16, 32]
    assert torch.allclose(views[0].mean((2, 3)), batch.images.mean((2, 3)), atol=1e-6)


def test_a_discriminator_without_norms_tells_pictures_apart_before_it_has_learnt() -> None:
    model = catalogue.create("tac_gan", "shipped")
    assert not model.config.discriminator_norm
    grey = torch.linspace(-1, 1, 8)[:, None, None, None].expand(8, 3, 64, 64)
    (logits,) = model.discriminator(grey, torch.zeros(8, model.config.text))
    # First weights of 0.02 put them 0.005 apart: nothing beside the classes' part of the loss.
    assert logits[:, 0].max() - logits[:, 0].min() > 0.1


class _Lamps:
    """Pictures that are bright where the caption's one word says so, dark where it says that."""

    def __init__(self) -> None:
        self.sha256 = {"lamps": "0"}
        self.names = {"words": ("", "?", "bright", "dark"), "classes": ("bright", "dark")}

    def __len__(self) -> int:
        return 2

    def draw(self, count: int, rng: torch.Generator, device: torch.device | str = "cpu") -> Batch:
        dark = torch.randint(2, (count,), generator=rng)
        level = 0.7 - 1.4 * dark[:, None, None, None].float()
        noise = 0.1 * torch.randn(count, 3, 32, 32, generator=rng)
        return Batch((level + noise).clamp(-1, 1), extra={"tokens": dark[:, None] + 2})


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_learns_to_draw_what_the_caption_says(name: str) -> None:
    model = catalogue.create(
        name,
        "smoke",
        length=2,
        text=16,
        matching_images=640,
        matching_batch=16,
        batch=16,
        generator_lr=4e-3,
        discriminator_lr=4e-3,
        betas=(0.5, 0.99),
        total_images=10_000,
    )
    fresh = catalogue.build(name, model.fitted(_Lamps()), model.optimisation)
    run = Run(fresh, _Lamps(), seed=1, device=torch.device("cpu"))
    for _ in range(120):  # 40 of them for the encoders
        run.advance()
    batch = _Lamps().draw(40, _rng())
    light = run.samples(batch, _rng()).mean((1, 2, 3))
    dark = batch.extra["tokens"][:, 0] == 3
    # Reals lie 1.4 apart; untrained samples lie 0 apart.
    assert (light[~dark].mean() - light[dark].mean()).item() > 0.5
