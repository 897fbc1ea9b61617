"""Every system of the catalogue keeps the contract; a new one is tested by its row alone."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch

from generators import catalogue
from generators.contract import AdversarialModel
from generators.training.step import Run
from tests.toy_gan import Conditioned

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.*LeafSpec:FutureWarning")

SYSTEMS = list(catalogue.CATALOGUE)
RNG = torch.Generator


def fresh(name: str) -> AdversarialModel:
    model = catalogue.create(name, "smoke", batch=4)
    config = model.fitted(Conditioned(model.image_shape))
    return catalogue.build(name, config, model.optimisation)


def begin(name: str) -> Run:
    model = fresh(name)
    return Run(model, Conditioned(model.image_shape), seed=3, device=torch.device("cpu"))


def takes_noise(model: AdversarialModel) -> bool:
    return any(meant.role == "latent" for meant in model.inputs().values())


def weights(run: Run) -> dict[str, torch.Tensor]:
    return copy.deepcopy({**run.model.state_dict(), **_prefixed(run.ema.generator.state_dict())})


def _prefixed(state: dict[str, Any]) -> dict[str, Any]:
    return {f"ema.{name}": value for name, value in state.items()}


@pytest.mark.parametrize("name", SYSTEMS)
def test_losses_are_finite_and_samples_have_the_shape_of_the_reals(name: str) -> None:
    model = fresh(name).train()
    batch = Conditioned(model.image_shape).draw(4, RNG().manual_seed(0))
    for losses in (
        model.discriminator_loss(batch, RNG().manual_seed(1)),
        model.generator_loss(batch, RNG().manual_seed(1)),
    ):
        assert losses.total.shape == ()
        assert all(torch.isfinite(value) for value in (losses.total, *losses.parts.values()))
    samples = model.eval().sample(batch, 4, RNG().manual_seed(1))
    assert samples.shape == (4, *model.image_shape)
    assert samples.abs().max() <= 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_step_moves_the_weights_of_both_players(name: str) -> None:
    run = begin(name)
    before = weights(run)
    run.advance()
    after = run.model.state_dict()
    for player in ("generator", "discriminator"):
        names = [key for key, _ in run.model.named_parameters() if key.startswith(player)]
        assert any(not torch.equal(before[key], after[key]) for key in names)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(name: str) -> None:
    model = fresh(name).eval()
    batch = Conditioned(model.image_shape).draw(4, RNG().manual_seed(0))
    first, second, other = (model.sample(batch, 4, RNG().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not takes_noise(model) or not torch.equal(first, other)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_restored_from_its_state_goes_on_to_the_bit(name: str) -> None:
    whole = begin(name)
    for _ in range(4):
        whole.advance()

    half = begin(name)
    for _ in range(2):
        half.advance()
    stored = io.BytesIO()
    torch.save(half.state(), stored)
    stored.seek(0)
    resumed = begin(name)
    resumed.restore(torch.load(stored, weights_only=True))
    for _ in range(2):
        resumed.advance()

    expected, found = weights(whole), weights(resumed)
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert resumed.images_seen == whole.images_seen


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_generator_is_a_graph_of_its_named_inputs_without_randomness(name: str) -> None:
    model = fresh(name).eval()
    inputs = model.export_inputs(2)
    assert model.inputs().keys() == inputs.keys()
    for part in model.parts:
        graph = model.exported(part).eval()
        program = torch.export.export(graph, (), inputs)
        assert torch.allclose(program.module()(**inputs), graph(**inputs), atol=1e-6)
        assert not any("rand" in str(node.target) for node in program.graph.nodes)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_preset_builds_its_options_and_names_a_known_data_set(name: str) -> None:
    row = catalogue.system(name)
    model, presets = row.load()
    assert model.name == name
    assert "smoke" in presets
    for preset in presets.values():
        assert catalogue.options(preset)["total_images"] > 0
        assert preset.budget_minutes > 0
