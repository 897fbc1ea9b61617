"""A detector learns a new family beside what it knows, and only a better one is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from detector.addition import NEW
from detector.corrupt import NONE
from detector.model import PRESETS
from detector.pairs import PairConfig
from detector.thresholds import Calibration
from detector.train import TrainConfig, train_detector
from evidence.errors import UsageError
from evidence.medium import Pixels
from exports import command
from exports.command import export_run
from exports.learning import Learned, Order, learn
from exports.parity import check_detector
from exports.registry import ModelEntry, Registry
from tests.detector.pictures import checkered, photograph, striped

CONFIG = TrainConfig(
    model=PRESETS["tiny"],
    pairs=PairConfig(pairs=4, crop=64, corruption=NONE, ramp_crops=0, partial=0.0, blended=0.0),
    learning_rate=1e-2,
    half_life_crops=40.0,
    warm_up_crops=1,
    total_crops=480,
    bfloat16=False,
    patch_dropout=0.0,
    frequency_dropout=0.0,
)
LEARNING = replace(CONFIG, pairs=replace(CONFIG.pairs, favoured=NEW, favoured_share=0.5), total_crops=960)


@pytest.fixture(scope="module", autouse=True)
def _few_sizes() -> Iterator[None]:
    """The parity gate at sizes that a test can wait for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            command,
            "check_detector",
            lambda net, path, **given: check_detector(net, path, sizes=((64, 64), (72, 136)), **given),
        )
        yield


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forged(tmp_path_factory.mktemp("twins"), "checkered", checkered, first=0)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forged(tmp_path_factory.mktemp("strangers"), "striped", striped, first=100)


@pytest.fixture(scope="module")
def start(twins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("start")
    train_detector(twins, run, config=CONFIG, workers=0)
    return run


def forged(folder: Path, family: str, forger: Callable[[Pixels], Pixels], *, first: int) -> Path:
    """Eighty reals of 96 px, each with its twin, in three splits."""
    rows: list[dict[str, Any]] = []
    for number in range(first, first + 80):
        split = ("train", "cal", "test", "cal")[number % 4]
        common = {"group": f"g{number}", "split": split, "source": "photos"}
        real = photograph(number)[:96, :96]
        sides = {
            "real": (real, {"label": "real"}),
            "fake": (forger(real), {"label": "fake", "family": family}),
        }
        for side, (pixels, words) in sides.items():
            path = folder / side / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            assert cv2.imwrite(str(path), pixels[:, :, ::-1])
            rows.append({"path": f"{side}/{number}.png", **words, **common})
        rows[-1]["twin_of"] = f"real/{number}.png"
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def service(start: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    return export_run(start, "d", "1", models=Registry([tmp_path_factory.mktemp("service")]))


def learned(order: Order, models: Path, config: TrainConfig = LEARNING) -> tuple[Learned, Registry]:
    models.mkdir()
    registry = Registry([models])
    return learn(order, registry, workers=0, config=config), registry


def order(twins: Path, strangers: Path, start: Path, out: Path, service: ModelEntry) -> Order:
    reading = Calibration(fake_at=0.99, real_below=0.1)
    return Order(twins, strangers, start, out, service, reading, "d", "1+striped", tiles=4, share=1.0)


def test_a_family_that_is_learned_makes_a_new_default_detector(
    twins: Path, strangers: Path, start: Path, service: ModelEntry, tmp_path: Path
) -> None:
    found, models = learned(order(twins, strangers, start, tmp_path / "out", service), tmp_path / "models")

    assert [gate for gate in found.gates if not gate.holds] == []
    assert found.addition.families == ("striped",)
    assert found.entry is not None
    assert models.default("detector").label == "d@1+striped"
    assert found.entry.outputs[2]["names"] == ["checkered", "striped"]
    assert found.entry.calibration is not None
    assert found.entry.calibration["n"] >= 100
    assert "striped on top of d@1" in (found.entry.folder / found.entry.card).read_text()


def test_a_family_that_is_not_learned_leaves_everything_as_it_was(
    twins: Path, strangers: Path, start: Path, service: ModelEntry, tmp_path: Path
) -> None:
    lazy = replace(LEARNING, total_crops=8, learning_rate=1e-9)

    found, models = learned(
        order(twins, strangers, start, tmp_path / "out", service), tmp_path / "models", lazy
    )

    assert found.entry is None
    assert next(gate.name for gate in found.gates if not gate.holds).startswith("striped: AUC")
    assert list(models) == []


def test_what_is_no_run_of_the_detector_cannot_be_started_from(
    twins: Path, strangers: Path, service: ModelEntry, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match="holds no run of the detector"):
        learned(order(twins, strangers, tmp_path / "empty", tmp_path / "out", service), tmp_path / "models")
