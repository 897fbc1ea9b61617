"""The integer form of a detector is written only where it answers as the float one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from evidence.errors import ModelError
from exports.quantize import NEAR, Gate, quantise
from exports.registry import ModelEntry
from exports.runtime import open_detector

WIDE_OPEN = Gate(max_logit=1e9, mean_logit=1e9, flips=1.0, auc=1.0)


@pytest.fixture(scope="module")
def tiles() -> np.ndarray:
    """Twelve tiles of different contrast, from flat to full noise."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-128, 128, (12, 64, 64, 3))
    return (128 + noise * np.linspace(0, 1, 12)[:, None, None, None]).astype(np.uint8)


def test_a_model_that_passes_is_written_and_runs_in_integers(
    exported: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    target = tmp_path / "int8.onnx"
    found = quantise(
        exported, target, calibration=tiles, tiles=tiles, labels=np.arange(12) % 2, gate=WIDE_OPEN
    )
    assert found.accepted
    model = onnx.load(target)
    weights = {item.name: item.data_type for item in model.graph.initializer}
    assert onnx.TensorProto.INT8 in weights.values()
    assert {item.key: item.value for item in model.metadata_props}["precision"] == "int8"
    logits = open_detector(ModelEntry.from_file(target)).run(tiles)[0]
    before = open_detector(ModelEntry.from_file(exported)).run(tiles)[0]
    assert float(np.abs(logits - before).max()) == pytest.approx(found.max_logit)
    assert 0 < found.mean_logit <= found.max_logit


def test_what_reads_colours_and_what_writes_the_map_stay_in_float(
    exported: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    target = tmp_path / "int8.onnx"
    quantise(exported, target, calibration=tiles, tiles=tiles, labels=np.arange(12) % 2, gate=WIDE_OPEN)
    graph = onnx.load(target).graph
    floats = {item.name: tuple(item.dims) for item in graph.initializer if item.data_type == 1}

    whole = [
        floats[node.input[1]] for node in graph.node if node.op_type == "Conv" and node.input[1] in floats
    ]

    assert whole
    assert all(outputs == 1 or inputs == 3 for outputs, inputs, *_ in whole)


def test_a_change_far_from_the_threshold_is_none_that_counts(
    exported: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    before = open_detector(ModelEntry.from_file(exported)).run(tiles)[0]
    far = Gate(max_logit=0.0, mean_logit=0.0, flips=0.0, auc=1.0, threshold=float(before.max()) + NEAR + 0.1)

    found = quantise(
        exported, tmp_path / "x.onnx", calibration=tiles, tiles=tiles, labels=np.arange(12) % 2, gate=far
    )

    assert found.max_logit == 0.0
    assert found.accepted


def test_a_model_that_fails_is_not_written_and_says_by_how_much(
    exported: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    target = tmp_path / "int8.onnx"
    found = quantise(
        exported,
        target,
        calibration=tiles,
        tiles=tiles,
        labels=np.arange(12) % 2,
        gate=Gate(max_logit=0.0, mean_logit=0.0, flips=1.0, auc=1.0),
    )
    assert not found.accepted
    assert [reason.split()[0] for reason in found.refused] == ["max_logit", "mean_logit"]
    assert not target.exists()


def test_verdicts_are_compared_at_the_threshold_of_the_gate(
    exported: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    before = np.sort(open_detector(ModelEntry.from_file(exported)).run(tiles)[0])
    far = Gate(max_logit=1e9, mean_logit=1e9, flips=0.0, auc=1.0, threshold=float(before[-1]) + 100)
    found = quantise(
        exported, tmp_path / "x.onnx", calibration=tiles, tiles=tiles, labels=np.arange(12) % 2, gate=far
    )
    assert found.flips == 0.0
    assert found.accepted


def test_a_graph_without_convolutions_cannot_be_quantised(
    brightness_detector: Path, tiles: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="cannot be quantised"):
        quantise(
            brightness_detector,
            tmp_path / "x.onnx",
            calibration=tiles,
            tiles=tiles,
            labels=np.arange(12) % 2,
        )
