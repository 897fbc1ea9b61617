"""A run folder becomes a published model, through the gates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.model import PRESETS, FakeDetector, save
from detector.train import WEIGHTS
from evidence.errors import DataError, ParityError, UsageError
from exports import command
from exports.cards import write_generator_card
from exports.command import export_int8, export_quantised, export_run
from exports.parity import HALF, check_detector, check_generator
from exports.quantize import Gate
from exports.registry import ModelEntry, Registry
from exports.runtime import family_names, open_detector
from exports.sampling import sample
from generators import catalogue
from generators.contract import Floor
from generators.training import checkpoint
from generators.verdict import VERDICT, Judgement

RUN = {
    "command": "touchstone train it",
    "config": {"width": 4},
    "seed": 3,
    "data_sha256": {"a.tar": "00"},
    "hardware": "a processor",
    "seconds": 1.5,
    "commit": "abc",
}
SIZES = ((64, 64), (72, 136))


@pytest.fixture(autouse=True)
def _few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate at sizes that a test can wait for; the whole range is a benchmark's business."""
    monkeypatch.setattr(
        command,
        "check_detector",
        lambda net, path, **given: check_detector(net, path, sizes=SIZES, batches=(1, 2), **given),
    )
    monkeypatch.setattr(
        command,
        "check_generator",
        lambda model, path, **given: check_generator(model, path, sizes=SIZES, batches=(1, 2), **given),
    )


@pytest.fixture
def models(tmp_path: Path) -> Registry:
    (tmp_path / "models").mkdir()
    return Registry([tmp_path / "models"])


def test_a_detectors_run_is_published_with_what_was_measured(
    network: FakeDetector, tmp_path: Path, models: Registry
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    save(network, run / WEIGHTS)
    (run / "record.json").write_text(json.dumps({**RUN, "crops_seen": 99, "auc": 0.75}))
    facts = {"calibration": {"temperature": 2.0}, "metrics": {"recall": 0.5}, "limits": ["Nights."]}
    entry = export_run(run, "d", "1", default=True, facts=facts, models=models)
    assert models.default("detector") == entry
    assert entry.training["images_seen"] == 99
    assert entry.training["command"] == "touchstone train it"
    assert entry.calibration == {"temperature": 2.0}
    assert (entry.metrics["auc"], entry.metrics["recall"]) == (0.75, 0.5)
    assert entry.metrics["parity"]["sizes"] == [[64, 64], [72, 136]]
    assert "Nights." in (entry.folder / entry.card).read_text()
    assert open_detector(entry).run(np.zeros((1, 64, 64, 3), np.uint8))[1].shape == (1, 8, 8)


def test_a_detector_that_tells_who_made_a_picture_is_published_with_its_families(
    tmp_path: Path, models: Registry
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    families = ("cyclegan", "haar", "vae")
    save(FakeDetector(replace(PRESETS["tiny"], families=families)).eval(), run / WEIGHTS)
    (run / "record.json").write_text(json.dumps({**RUN, "crops_seen": 99}))
    entry = export_run(run, "d", "1", models=models)
    found = open_detector(entry).run(np.zeros((5, 64, 72, 3), np.uint8)).families
    assert family_names(entry) == families
    assert found is not None
    assert found.shape == (5, 3)


def gans_run(run: Path, **overrides: object) -> Path:
    """The folder of a run of DCGAN's smoke preset that saw five images."""
    model = catalogue.create("dcgan", "smoke", **overrides)
    settled = checkpoint.configuration(model, seed=3, sha256={"a.tar": "00"})
    checkpoint.begin(run, settled, resume=False)
    state = {"model": model.state_dict(), "ema": model.generator.state_dict(), "images_seen": 5}
    checkpoint.save(run, state)
    (run / "record.json").write_text(json.dumps({**RUN, "images_seen": 5, "stopped": "budget"}))
    Judgement({"fid_ratio": 0.1}, {}, (), 512, "random@abc").write(run)
    return run


def test_a_gans_run_is_published_and_can_be_sampled(tmp_path: Path, models: Registry) -> None:
    entry = export_run(gans_run(tmp_path / "run", latent_law="uniform"), "g", "1", models=models)
    assert entry.task == "noise"
    assert (entry.inputs[0]["role"], entry.inputs[0]["law"]) == ("latent", "uniform")
    assert entry.tags["system"] == "dcgan"
    assert entry.tags["upsampler"] == "transposed-k4s2"
    assert sample(entry, 2, 0)[0].shape == (32, 32, 3)


def test_what_a_run_was_judged_by_stands_on_its_card_beside_its_floors(
    tmp_path: Path, models: Registry
) -> None:
    run = gans_run(tmp_path / "run")
    figures = {"fid_ratio": 0.125, "class_accuracy": 0.97}
    floors = (Floor("class_accuracy", least=0.95),)
    words = {floor.figure: floor.words for floor in floors}
    Judgement(figures, words, (), 512, "random@abc").write(run)
    entry = export_run(run, "g", "1", models=models)
    assert entry.metrics["verdict"]["figures"] == figures
    card = (entry.folder / entry.card).read_text()
    assert "- class accuracy: 0.97 (floor: at least 0.95)" in card
    assert "- fid ratio: 0.125\n" in card
    assert "512 samples against as many held-out pictures" in card


def test_a_card_says_of_generators_that_change_pictures_what_they_do_to_people() -> None:
    record = {"name": "g", "version": "1", "file": "g.onnx", "sha256": "0", "size_bytes": 1}
    source = {"name": "source", "dtype": "float32", "shape": ["batch", 3, 64, 64], "role": "image"}
    assert "depict nobody" in write_generator_card(record)
    changed = write_generator_card({**record, "inputs": [source]})
    assert "depict nobody" not in changed
    assert "What it makes of a picture never was so" in changed


def test_a_run_below_its_floor_or_interrupted_becomes_no_model(tmp_path: Path, models: Registry) -> None:
    run = gans_run(tmp_path / "run")
    Judgement({"au_error": 0.2}, {}, ("au_error is 0.2, but at most 0.12 is the floor.",), 8, "x").write(run)
    with pytest.raises(UsageError, match=r"au_error is 0\.2"):
        export_run(run, "g", "1", models=models)
    (run / "record.json").write_text(json.dumps({**RUN, "stopped": "interrupted"}))
    with pytest.raises(UsageError, match="interrupted"):
        export_run(run, "g", "1", models=models)
    assert list(models) == []


def test_a_run_that_nobody_judged_becomes_no_model(tmp_path: Path, models: Registry) -> None:
    run = gans_run(tmp_path / "run")
    (run / VERDICT).unlink()
    with pytest.raises(UsageError, match=r"no verdict\.json, so nobody has judged it.*--resume"):
        export_run(run, "g", "1", models=models)
    for text in ("{", "[]", "{}"):
        (run / VERDICT).write_text(text)
        with pytest.raises(UsageError, match=r"verdict\.json.*train with --resume"):
            export_run(run, "g", "1", models=models)
    assert list(models) == []


def test_a_card_names_the_floor_that_could_not_be_measured(tmp_path: Path, models: Registry) -> None:
    run, sentence = gans_run(tmp_path / "run"), "copies cannot be measured on this data."
    words = {"copies": "at most 0.03"}
    Judgement({"fid_ratio": 0.1}, words, (), 512, "random@abc", unmeasured=(sentence,)).write(run)
    entry = export_run(run, "g", "1", models=models)
    assert entry.metrics["verdict"]["unmeasured"] == [sentence]
    assert f"- {sentence}\n" in (entry.folder / entry.card).read_text()


def test_weights_in_half_precision_make_a_file_of_about_half_the_size(
    tmp_path: Path, models: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = gans_run(tmp_path / "run", width=16)
    full = export_run(run, "full", "1", models=models)
    half = export_run(run, "half", "1", half=True, models=models)
    assert half.size_bytes < 0.6 * full.size_bytes
    assert half.tags["precision"] == "fp16 weights"
    assert half.metrics["parity"]["tolerance"] == HALF.tolerance
    assert half.metrics["parity"]["grey_levels"] <= HALF.grey_levels
    monkeypatch.setattr(command, "MODEL_BYTES", full.size_bytes - 1)
    assert export_run(run, "large", "1", models=models).sha256 != full.sha256  # halved unasked


def test_a_part_that_a_system_has_not_is_refused(tmp_path: Path, models: Registry) -> None:
    with pytest.raises(UsageError, match="dcgan gives one graph; --part says 'forward'"):
        export_run(gans_run(tmp_path / "run"), "g", "1", part="forward", models=models)


def test_a_folder_without_a_finished_run_is_refused(tmp_path: Path, models: Registry) -> None:
    with pytest.raises(UsageError, match=r"record\.json"):
        export_run(tmp_path, "x", "1", models=models)
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(UsageError, match="how it came to be"):
        export_run(tmp_path, "x", "1", models=models)


def test_a_quantised_detector_is_published_only_when_it_passes(exported: Path, models: Registry) -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    given = {"calibration": tiles, "tiles": tiles, "labels": np.arange(8) % 2, "models": models}
    source = ModelEntry.from_file(exported)
    wide = Gate(max_logit=1e9, mean_logit=1e9, flips=1.0, auc=1.0)
    refused, found = export_quantised(source, gate=replace(wide, auc=-1.0), **given)
    assert refused is None
    assert found.refused
    assert list(models) == []
    entry, found = export_quantised(source, gate=wide, **given)
    assert entry is not None
    assert (entry.name, entry.tags["precision"]) == ("tiny-int8", "int8")
    assert entry.metrics["quantised"]["mean_logit"] == found.mean_logit


def test_a_labelled_folder_judges_the_integer_form(
    exported: Path, models: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, rng = ModelEntry.from_file(exported), np.random.default_rng(0)
    for label in ("real", "fake"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (256, 260, 3), dtype=np.uint8)
            assert cv2.imwrite(str(tmp_path / "set" / label / f"{number}.png"), pixels)
    strict = Gate(max_logit=1e9, mean_logit=1e9, flips=1.0, auc=-1.0)
    monkeypatch.setattr(command, "Gate", lambda **given: replace(strict, **given))
    with pytest.raises(ParityError, match="auc"):
        export_int8(source, tmp_path / "set", models=models)
    assert list(models) == []

    wide = Gate(max_logit=1e9, mean_logit=1e9, flips=1.0, auc=1.0)
    monkeypatch.setattr(command, "Gate", lambda **given: replace(wide, **given))
    entry = export_int8(source, tmp_path / "set", models=models)
    assert entry.name == "tiny-int8"
    assert entry.metrics["quantised"]["tiles"] == 4

    for path in (tmp_path / "set" / "fake").iterdir():
        path.rename(path.with_suffix(".none"))
    with pytest.raises(DataError, match="too few"):
        export_int8(source, tmp_path / "set", models=models)
