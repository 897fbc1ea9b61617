"""A trial of the proof is trained, written and read once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import trials
from benchmarks.standings import read_by, under
from benchmarks.trials import DELIVERIES, Trial, crops_of, exported, readings_of, train
from detector.contenders import training_of
from detector.readers import read
from detector.thresholds import Calibration


def test_a_trial_is_trained_written_and_read_once(
    forge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a trial of a moment
    def brief(name: str, **settings: Any) -> Any:
        config = training_of(name, **settings)
        return replace(config, pairs=replace(config.pairs, pairs=4, crop=64), bfloat16=False)

    monkeypatch.setattr(trials, "training_of", brief)
    trial = Trial("fold 1", "haar", left_out=("striped",))
    assert exported(trial, tmp_path) is None

    # When it is trained, written and reads the test split
    record = train(trial, twins=forge, runs=tmp_path, crops=16)
    entry = exported(trial, tmp_path)
    assert record is not None
    assert entry is not None
    test = read(forge, split="test")
    found = readings_of(entry, test, tmp_path / "readings.json")

    # Then it never saw what is left out, and nothing is done twice
    assert record.families == ["checkered"]
    assert train(trial, twins=forge, runs=tmp_path, crops=16) is None
    monkeypatch.setattr(trials, "open_detector", lambda *_, **__: pytest.fail("it was read already"))
    again = readings_of(entry, test, tmp_path / "readings.json")
    assert [replace(reading, families=None) for reading in found] == again
    assert len(again) == len(test) * len(DELIVERIES)
    calibration, why = read_by(again)
    assert calibration == Calibration()
    assert "real" in why  # three are too few
    assert len(under(again, "JPEG 75", calibration)) == len(test)


def test_a_trial_that_was_interrupted_has_not_ended(tmp_path: Path) -> None:
    trial = Trial("no alignment, formats as usual", "no alignment, formats as usual")
    folder = tmp_path / "no-alignment-formats-as-usual"
    folder.mkdir()

    for stopped, crops in (("interrupted", 0), ("total_crops", 96)):
        (folder / "record.json").write_text(json.dumps({"stopped": stopped, "crops_seen": 96}))
        assert crops_of(trial, tmp_path) == crops
