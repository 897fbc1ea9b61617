"""What `touchstone train` does: plan, override, open data, train, restore."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from evidence.errors import DataError, TouchstoneError, TrainingError, UsageError
from generators import catalogue
from generators.training.command import open_data, plan, run
from generators.verdict import VERDICT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for n in range(5):
        cv2.imwrite(str(pictures / f"{n}.png"), rng.integers(0, 256, (40, 36, 3), np.uint8))
    return pictures


def test_a_plan_shows_the_preset_with_its_overrides_typed() -> None:
    settled = plan(
        "dcgan",
        preset="smoke",
        overrides={"width": "6", "betas": "0,0.9", "loss": "hinge", "discriminator_norm": "true"},
        budget_minutes=3,
    ).to_dict()
    assert settled["settled"]["config"]["width"] == 6
    assert settled["settled"]["config"]["loss"] == "hinge"
    assert settled["settled"]["config"]["discriminator_norm"] is True
    assert settled["settled"]["optimisation"]["betas"] == (0.0, 0.9)
    assert settled["settled"]["budget_minutes"] == 3
    assert settled["command"] == (
        "touchstone train dcgan --preset smoke --data faces-celeba --budget-minutes 3 --seed 0 "
        "--set width=6 --set betas=0,0.9 --set loss=hinge --set discriminator_norm=true"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"depth": "3"}, "no option 'depth'"),
        ({"width": "many"}, "not of the kind"),
        ({"discriminator_norm": "perhaps"}, "not of the kind"),
        ({"betas": "a,b"}, "not of the kind"),
    ],
)
def test_overrides_that_make_no_sense_are_refused(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan("dcgan", overrides=overrides)


@pytest.mark.parametrize(
    ("system", "overrides", "message"),
    [
        ("dcgan", {"latent": "0"}, "latent=0 makes no sense. Take 1 or more"),
        ("vanilla", {"generator_widths": "8,0"}, "generator_widths=8,0 makes no sense. Take 1 or more"),
        ("acgan", {"dropout": "5"}, "a number from 0 to 1"),
        ("stylegan2", {"mapping_layers": "0"}, "Take a number from 1 to 64"),
        ("progressive", {"first_size": "7"}, "a first_size that is a power of two"),
        ("progressive", {"first_size": "64"}, "no larger than image_size"),
    ],
)
def test_sizes_and_shares_that_nobody_can_mean_are_refused(
    system: str, overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        plan(system, preset="smoke", overrides=overrides)


def test_fields_that_fit_each_other_are_taken_in_any_order() -> None:
    settled = plan("context_encoder", preset="smoke", overrides={"hole": "64", "image_size": "128"}).settled
    assert (settled.config.hole, settled.config.image_size) == (64, 128)


def test_an_operator_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no upsampler 'foo'\. Known: nearest, "):
        catalogue.create("reconstruction", "smoke", upsampler="foo")


def test_a_system_too_large_for_the_memory_is_no_fault_of_the_code(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*given: object, **named: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 5 TB")

    monkeypatch.setattr(catalogue, "build", too_large)
    with pytest.raises(TrainingError, match=r"too little memory.* a smaller --set image_size or width"):
        run("vanilla", data=str(folder), preset="smoke", out=tmp_path / "run")


def test_unknown_systems_presets_and_data_name_the_known_ones() -> None:
    with pytest.raises(UsageError, match="vanilla, dcgan"):
        plan("biggan")
    with pytest.raises(UsageError, match="published, shipped, smoke"):
        plan("dcgan", preset="huge")
    with pytest.raises(DataError, match="faces-celeba"):
        open_data("no-such-set", (3, 8, 8), kind="faces")
    with pytest.raises(UsageError, match="Its options"):
        catalogue.preset("dcgan", "smoke", depth=3)


def test_a_folder_of_pictures_trains_a_model_that_is_restored_from_its_run(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    record = run("vanilla", data=str(folder), preset="smoke", out=out, overrides={"total_images": "16"})
    assert record.images_seen == 16
    assert list(record.data_sha256) == ["pictures"]
    assert f"--data {folder}" in record.command
    assert json.loads((out / "config.json").read_text())["system"] == "vanilla"

    model = catalogue.restore(out)
    assert model.images_seen == 16
    assert not model.training
    average = torch.load(out / "checkpoint.pt", weights_only=True)["ema"]
    assert all(torch.equal(value, average[key]) for key, value in model.generator.state_dict().items())
    assert model.config == catalogue.preset("vanilla", "smoke").config


def test_on_an_own_folder_floors_that_it_cannot_measure_are_said(folder: Path, tmp_path: Path) -> None:
    notices: list[str] = []
    small = {"total_images": "64", "generator_widths": "8,8", "discriminator_widths": "8"}
    run(
        "vanilla",
        data=str(folder),
        out=tmp_path / "run",
        overrides=small,
        on_progress=lambda progress: notices.append(progress.notice),
    )
    verdict = json.loads((tmp_path / "run" / VERDICT).read_text())
    assert [sentence.split()[0] for sentence in verdict["unmeasured"]] == ["inception_score", "copies"]
    assert verdict["missed"]  # sixty-four images teach nothing
    assert notices[-1].startswith("Below its floor, so it becomes no model: ")
    assert "copies cannot be measured" in notices[-1]


def test_pix2pix_on_boundaries_is_judged_without_labels(shared_data: Path, tmp_path: Path) -> None:
    small = {"total_images": "8", "image_size": "32", "width": "4", "discriminator_width": "4"}
    run("pix2pix", data="bsds-edges", out=tmp_path / "run", overrides=small | {"patch_layers": "2"})
    (sentence,) = json.loads((tmp_path / "run" / VERDICT).read_text())["unmeasured"]
    assert sentence.startswith("label_share cannot be measured")


def test_photos_are_cropped_natively_and_faces_squared(folder: Path) -> None:
    crops = open_data(str(folder), (3, 32, 32), kind="photos")
    squares = open_data(str(folder), (3, 32, 32), kind="faces")
    digits = open_data(str(folder), (1, 28, 28), kind="digits")
    assert crops.crop == 32
    assert squares.crop is None
    assert crops.flip
    assert not digits.flip
    assert digits.draw(2, torch.Generator().manual_seed(0)).images.shape == (2, 1, 28, 28)


@pytest.mark.parametrize(
    ("system", "size", "words"),
    [
        ("dcgan", 48, "dcgan cannot be built for image_size=48. Take a power of two, from 8."),
        ("wgan", 100, "power of two"),
        ("stylegan2", 50, "power of two"),
        ("progressive", 96, "power of two"),
        ("attngan", 48, "power of two, from 32"),
        ("lsgan", 50, "multiple of 16"),
        ("wgan_gp", 30, "multiple of 8"),
        ("sngan", 100, "multiple of 8"),
        ("cgan", 30, "multiple of 4"),
        ("acgan", 30, "multiple of 4"),
        ("tac_gan", 50, "multiple of"),
        ("dr_gan", 50, "multiple of 16"),
        ("tp_gan", 48, "multiple of 32"),
        ("ganimation", 50, "multiple of 4"),
        ("pix2pix", 48, "power of two"),
        ("cyclegan", 50, "multiple of 4"),
        ("vanilla", 0, "a number, from 4"),
    ],
)
def test_a_side_that_a_system_cannot_be_built_for_is_refused(system: str, size: int, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.create(system, "smoke", image_size=size)
    assert words in str(caught.value)


@pytest.mark.parametrize("system", list(catalogue.CATALOGUE))
def test_every_preset_has_a_side_that_its_system_takes(system: str) -> None:
    row = catalogue.system(system)
    for preset in row.load()[1].values():
        row.sides.check(system, preset.config)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('{"system": "dcgan"}', "says of no system"),
        ('{"system": "biggan", "config": {}, "optimisation": {}}', "is of vanilla, .* of biggan"),
        ('{"system": "vanilla", "config": {"depth": 1}, "optimisation": {}}', "does not fit.*no 'depth'"),
    ],
)
def test_a_run_of_another_version_is_named(folder: Path, tmp_path: Path, config: str, words: str) -> None:
    run("vanilla", data=str(folder), preset="smoke", out=tmp_path / "run", overrides={"total_images": "8"})
    (tmp_path / "run" / "config.json").write_text(config)
    with pytest.raises(TouchstoneError, match=words):
        catalogue.restore(tmp_path / "run")


def test_restoring_from_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run folder"):
        catalogue.restore(tmp_path)


def test_the_first_weights_follow_the_seed() -> None:
    first, again, other = (
        catalogue.create("vanilla", "smoke", seed=seed).generator.state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)
