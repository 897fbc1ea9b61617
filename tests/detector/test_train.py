"""Training: it learns, stops when told, goes on where it stopped and refuses what does not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from detector.corrupt import NONE
from detector.model import PRESETS, load
from detector.pairs import PairConfig
from detector.train import STEADY, Progress, TrainConfig, train_detector
from evidence.errors import ConfigMismatch, DataError, OutputError

TINY = TrainConfig(
    model=PRESETS["tiny"],
    pairs=PairConfig(pairs=4, crop=64, corruption=NONE, ramp_crops=0, partial=0.0, blended=0.0),
    warm_up_crops=1,
    total_crops=24,
    bfloat16=False,
    log_seconds=0.0,
    checkpoint_seconds=0.0,
)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder / "detector.pt").state_dict()


def test_the_detector_learns_an_easy_forgery_and_records_how(forge: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    config = replace(TINY, total_crops=480, learning_rate=1e-2, half_life_crops=40.0)

    record = train_detector(forge, tmp_path, config=config, workers=0, on_progress=seen.append)

    assert record.auc > 0.95
    assert record.stopped == "total_crops"
    assert record.crops_seen == seen[-1].crops_seen == 480
    assert record.families == ["checkered", "striped"]
    assert json.loads((tmp_path / "record.json").read_text())["auc"] == record.auc
    assert seen[-1].losses["picture"] < seen[0].losses["picture"]


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(forge: Path, tmp_path: Path) -> None:
    train_detector(forge, tmp_path / "whole", config=TINY, seed=1, workers=0)

    def pull_the_plug(progress: Progress) -> None:
        if progress.crops_seen == 16:
            raise KeyboardInterrupt

    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train_detector(forge, broken, config=TINY, seed=1, workers=0, on_progress=pull_the_plug)
    record = train_detector(forge, broken, config=TINY, seed=1, workers=0, resume=True)

    assert record.crops_seen == 24
    once, twice = weights(tmp_path / "whole"), weights(broken)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_no_time_left_ends_the_run_with_everything_saved(forge: Path, tmp_path: Path) -> None:
    record = train_detector(forge, tmp_path, config=TINY, budget_minutes=0.0, workers=0)

    assert record.stopped == "budget"
    assert record.crops_seen == 8
    assert (tmp_path / "detector.pt").is_file()


def test_a_run_given_more_time_goes_on_from_before_its_learning_rate_fell(
    forge: Path, tmp_path: Path
) -> None:
    config = replace(TINY, total_crops=10_000)
    train_detector(forge, tmp_path, config=config, budget_minutes=0.0, workers=0)
    train_detector(forge, tmp_path, config=config, budget_minutes=0.0, workers=0, resume=True)
    steady = torch.load(tmp_path / STEADY)["steps"]
    ended = torch.load(tmp_path / "checkpoint.pt")["steps"]

    rates = []

    def stop_at_once(_: Progress) -> None:
        lines = (tmp_path / "log.jsonl").read_text("utf-8").splitlines()
        rates.append([row for row in map(json.loads, lines) if "lr" in row][-1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_detector(
            forge,
            tmp_path,
            config=config,
            budget_minutes=10.0,
            workers=0,
            resume=True,
            on_progress=stop_at_once,
        )

    assert (steady, ended) == (1, 2)
    assert rates[0]["step"] == 2
    assert rates[0]["lr"] == pytest.approx(config.learning_rate)


def test_the_families_of_the_training_twins_get_a_head(forge: Path, tmp_path: Path) -> None:
    train_detector(forge, tmp_path, config=TINY, budget_minutes=0.0, workers=0)

    model = load(tmp_path / "detector.pt")
    logits, cells, families = model(torch.zeros(2, 64, 72, 3, dtype=torch.uint8))

    assert model.config.families == ("checkered", "striped")
    assert (logits.shape, cells.shape, families.shape) == ((2,), (2, 8, 9), (2, 2))


def test_a_run_goes_on_only_with_its_own_configuration(forge: Path, tmp_path: Path) -> None:
    train_detector(forge, tmp_path, config=TINY, budget_minutes=0.0, workers=0)

    with pytest.raises(ConfigMismatch, match="learning_rate"):
        train_detector(forge, tmp_path, config=replace(TINY, learning_rate=1.0), resume=True, workers=0)
    with pytest.raises(OutputError, match="already"):
        train_detector(forge, tmp_path, config=TINY, workers=0)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.jsonl"):
        train_detector(tmp_path, tmp_path / "out")


def test_a_run_that_began_before_a_field_was_there_goes_on_with_its_default(
    forge: Path, tmp_path: Path
) -> None:
    train_detector(forge, tmp_path, config=TINY, budget_minutes=0.0, workers=0)
    held = json.loads((tmp_path / "config.json").read_text("utf-8"))
    del held["config"]["pairs"]["aligned"]
    (tmp_path / "config.json").write_text(json.dumps(held))

    record = train_detector(forge, tmp_path, config=TINY, workers=0, resume=True)

    assert record.crops_seen == TINY.total_crops
    other = replace(TINY, pairs=replace(TINY.pairs, aligned=False))
    with pytest.raises(ConfigMismatch, match=r"pairs\.aligned: True -> False"):
        train_detector(forge, tmp_path, config=other, workers=0, resume=True)
