"""What is published has passed a gate, fits the limits, and lies beside its card and its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ModelError, ModelNotFound
from exports import bundle
from exports.bundle import publish
from exports.cards import write_generator_card
from exports.registry import Registry, registry

RECORD: dict[str, Any] = {
    "task": "noise",
    "inputs": [{"name": "z", "dtype": "float32", "shape": ["batch", 12], "law": "normal"}],
    "outputs": [{"name": "images", "dtype": "float32", "shape": ["batch", 3, 2, 2]}],
    "tags": {"upsampler": "none"},
    "training": {"command": "touchstone train latent", "seed": 7, "config": {"width": 3}},
    "metrics": {"parity": {"tolerance": 1e-4}, "diversity": 0.91234567},
    "licence": "MIT",
    "paper": "Nobody 2026",
    "limits": ("Its pictures are four pixels.",),
}


def test_a_published_generator_is_found_with_its_card_and_its_sum(
    latent_generator: Path, tmp_path: Path
) -> None:
    models = Registry([tmp_path])
    entry = publish("latent", latent_generator, RECORD, version="1", kind="generator", models=models)
    again = registry(tmp_path).verify("latent")
    assert again == entry
    assert again.opset == 18
    assert again.path.read_bytes() == latent_generator.read_bytes()
    card = (tmp_path / entry.card).read_text()
    for said in (entry.sha256, "MIT", "touchstone train latent", "Nobody 2026", "four pixels", "0.9123"):
        assert said in card


def test_a_detector_gets_the_detectors_card(brightness_detector: Path, tmp_path: Path) -> None:
    record = {**RECORD, "task": "Tells bright from dark.", "limits": ["Black cats."]}
    entry = publish(
        "b", brightness_detector, record, version="1", kind="detector", models=Registry([tmp_path])
    )
    card = (tmp_path / entry.card).read_text()
    assert "Black cats." in card
    assert "## Calibration" in card


def test_a_model_without_a_gate_is_not_published(latent_generator: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="parity gate"):
        publish(
            "x", latent_generator, {"metrics": {}}, version="1", kind="generator", models=Registry([tmp_path])
        )
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_too_heavy_is_not_published(
    latent_generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MODEL_BYTES", latent_generator.stat().st_size - 1)
    with pytest.raises(ModelError, match="Model x@1 has"):
        publish("x", latent_generator, RECORD, version="1", kind="generator", models=Registry([tmp_path]))
    assert list(tmp_path.iterdir()) == []


def test_all_models_together_stay_within_their_limit(
    latent_generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, size = Registry([tmp_path]), latent_generator.stat().st_size
    monkeypatch.setattr(bundle, "TOGETHER_BYTES", 2 * size - 1)
    publish("x", latent_generator, RECORD, version="1", kind="generator", models=models)
    publish("x", latent_generator, RECORD, version="1", kind="generator", models=models)  # replaces itself
    with pytest.raises(ModelError, match="together"):
        publish("y", latent_generator, RECORD, version="1", kind="generator", models=models)
    assert [entry.label for entry in models] == ["x@1"]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="No such file"):
        publish("x", tmp_path / "x.onnx", RECORD, version="1", kind="generator", models=Registry([tmp_path]))


def test_a_card_says_what_was_not_recorded() -> None:
    row = {"name": "g", "version": "2", "file": "g.onnx", "size_bytes": 1234, "sha256": "ab"}
    card = write_generator_card(row)
    assert card.startswith("# g 2\n")
    assert "1,234 bytes" in card
    assert card.count("Not recorded.") == 6
