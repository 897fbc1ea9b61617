"""A run folder becomes a published model, through the gates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.model import FakeDetector, save
from detector.train import WEIGHTS
from evidence.errors import DataError, ParityError, UsageError
from exports import command
from exports.command import export_int8, export_quantised, export_run
from exports.parity import check_detector, check_generator
from exports.quantize import Gate
from exports.registry import ModelEntry, Registry
from exports.runtime import open_detector
from exports.sampling import sample
from generators import catalogue
from generators.training import checkpoint

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
        command, "check_detector", lambda net, path: check_detector(net, path, sizes=SIZES, batches=(1, 2))
    )
    monkeypatch.setattr(
        command, "check_generator", lambda model, path: check_generator(model, path, batches=(1, 2))
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


def test_a_gans_run_is_published_and_can_be_sampled(tmp_path: Path, models: Registry) -> None:
    run, model = tmp_path / "run", catalogue.create("dcgan", "smoke", latent_law="uniform")
    settled = checkpoint.configuration(model, seed=3, sha256={"a.tar": "00"})
    checkpoint.begin(run, settled, resume=False)
    state = {"model": model.state_dict(), "ema": model.generator.state_dict(), "images_seen": 5}
    checkpoint.save(run, state)
    (run / "record.json").write_text(json.dumps({**RUN, "images_seen": 5}))
    entry = export_run(run, "g", "1", models=models)
    assert entry.task == "noise"
    assert entry.inputs[0]["law"] == "uniform"
    assert entry.tags["system"] == "dcgan"
    assert sample(entry, 2, 0)[0].shape == (32, 32, 3)


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
    refused, found = export_quantised(source, gate=replace(wide, mean_logit=0.0), **given)
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
    strict = Gate(max_logit=0.0, mean_logit=0.0, flips=1.0, auc=1.0)
    monkeypatch.setattr(command, "Gate", lambda **given: replace(strict, **given))
    with pytest.raises(ParityError, match="max_logit"):
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
