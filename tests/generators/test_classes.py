"""Systems that make images of a class: they learn it, obey it, export it and refuse data without classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evidence.errors import DataError
from generators import catalogue
from generators.classes import classes_of, labels_of
from generators.contract import AdversarialModel, Batch
from generators.data.memory import ImageSet
from generators.metrics.by_class import figures_by_class
from generators.metrics.copies import copies, nearest
from generators.training.step import Run

SYSTEMS = ("cgan", "acgan")


def _shades(count: int = 64, side: int = 8, seed: int = 0) -> ImageSet:
    """Two classes: dark pictures and bright ones, each with a little noise."""
    labels = np.arange(count) % 2
    noise = np.random.default_rng(seed).integers(0, 40, (count, side, side, 1))
    return ImageSet(
        (noise + 200 * labels[:, None, None, None]).astype(np.uint8),
        labels=labels,
        sha256={"shades": "0"},
        names={"classes": ("dark", "bright")},
    )


def _small(name: str, **options: object) -> AdversarialModel:
    widths = {"cgan": ((8, 8), (8, 8)), "acgan": ((8,), (8, 8))}[name]
    sizes = {"image_size": 8, "generator_widths": widths[0], "discriminator_widths": widths[1]}
    own = {"halvings": 1} if name == "cgan" else {"dropout": 0.0, "discriminator_norm": False}
    model = catalogue.create(name, "smoke", **(sizes | own | options))  # type: ignore[arg-type]
    return catalogue.build(name, model.fitted(_shades()), model.optimisation, seed=1)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_class_is_learnt_in_a_hundred_steps(name: str) -> None:
    rates = {
        "generator_lr": 2e-3,
        "discriminator_lr": 2e-3,
        "betas": (0.0, 0.9),
        "batch": 16,
        "total_images": 1_600,
    }
    model = _small(name, **rates, discriminator_steps=1)
    run = Run(model, _shades(), seed=0, device=torch.device("cpu"))
    for _ in range(100):
        run.advance()
    model.eval()
    asked = Batch(torch.zeros(32, 1, 8, 8), torch.arange(32) % 2)
    brightness = model.sample(asked, 32, torch.Generator().manual_seed(0)).mean(dim=(1, 2, 3))
    assert brightness[1::2].mean() - brightness[::2].mean() > 0.8  # of 1.57 between the reals


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_label_decides_the_sample_and_its_names_travel_with_the_export(name: str) -> None:
    model = _small(name).eval()
    with torch.no_grad():
        for weight in model.generator.parameters():  # conditional gains begin equal
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)))
    inputs = model.export_inputs(4)
    assert inputs["label"].tolist() == [0, 1, 0, 1]
    assert model.inputs()["label"].names == ("dark", "bright")
    graph = model.exported()
    z = inputs["z"][:1].expand(2, -1)
    dark, bright = graph(z=z, label=torch.tensor([0, 1]))
    assert not torch.allclose(dark, bright, atol=1e-3)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_penalty_sees_the_critic_of_the_batchs_own_labels(name: str) -> None:
    model = _small(name).eval()
    batch = _shades().draw(4, torch.Generator().manual_seed(0))
    assert batch.labels is not None
    images = torch.zeros(4, 1, 8, 8)
    assert torch.equal(model.critic(batch)(images), model.logits(images, batch.labels))  # type: ignore[operator]


def test_labels_without_a_batch_are_drawn_evenly() -> None:
    labels = _small("cgan").random_labels(2_000, torch.Generator().manual_seed(0))  # type: ignore[operator]
    # A binomial of 2 000 at one half deviates by 1.1 %.
    assert labels.float().mean().item() == pytest.approx(0.5, abs=0.04)


def test_a_set_without_classes_or_with_an_empty_one_is_refused_with_what_to_do() -> None:
    pixels = np.zeros((4, 8, 8, 1), np.uint8)
    with pytest.raises(DataError, match="has no classes"):
        classes_of(ImageSet(pixels))
    with pytest.raises(DataError, match="has 1 classes"):
        classes_of(ImageSet(pixels, labels=[0] * 4, names={"classes": ("only",)}))
    with pytest.raises(DataError, match="'cats' has no pictures"):
        classes_of(ImageSet(pixels, labels=[0, 0, 2, 2], names={"classes": ("ants", "cats", "dogs")}))
    with pytest.raises(DataError, match="sub-folder"):
        labels_of(Batch(torch.zeros(1, 1, 8, 8)))


def test_figures_come_with_those_of_reals_and_none_without_classes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shades = _shades(128)
    fakes = shades.draw(64, torch.Generator().manual_seed(5))
    assert fakes.labels is not None
    found = figures_by_class(fakes.images, shades, fakes.labels)
    assert found["class_accuracy"] == found["class_accuracy_of_reals"] == 1.0
    assert found["inception_score"] == pytest.approx(2.0, abs=0.05)  # two classes, told apart for sure
    assert "copies" not in found  # the reals were trained on themselves: they would all be copies
    shades.training = lambda: _shades(seed=1)
    seen = _shades(seed=1).draw(64, torch.Generator().manual_seed(5)).images
    assert figures_by_class(seen, shades)["copies"] == 1.0
    assert figures_by_class(fakes.images, shades, 1 - fakes.labels)["class_accuracy"] == 0.0
    assert "class_accuracy" not in figures_by_class(fakes.images, shades)
    assert figures_by_class(fakes.images, ImageSet(np.zeros((4, 8, 8, 1), np.uint8))) == {}


def test_unseen_reals_are_one_copy_in_a_hundred_and_training_images_are_all_copies() -> None:
    rng = torch.Generator().manual_seed(0)
    training, unseen, others = (torch.rand(count, 1, 4, 4, generator=rng) for count in (300, 1_000, 1_000))
    # A binomial of 1 000 at 1 % deviates by 0.3 %.
    assert copies(others, unseen, training) == pytest.approx(0.01, abs=0.01)
    assert copies(training + 1e-4, unseen, training) == 1.0
    brute = torch.cdist(unseen[:40].flatten(1), training.flatten(1)).amin(dim=1)
    assert torch.allclose(nearest(unseen[:40], training), brute, atol=1e-3)
