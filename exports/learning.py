"""A detector learns a new family of forgeries, and takes the place of the old one if every gate holds.

Training goes on from the weights of a run, with the new forgeries and a replay of the twins it knows (a third
and two thirds of the pairs). The result is exported, calibrated on the split "cal" of both, and held against
the detector in service on "test".
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detector.addition import NEW, Addition, add
from detector.gates import Gate, gates
from detector.model import load
from detector.pairs import PairConfig
from detector.readers import read
from detector.robustness import chosen
from detector.thresholds import Calibration
from detector.train import WEIGHTS, Progress, TrainConfig, train_detector
from evidence.errors import UsageError
from exports.calibrating import AS_DELIVERED, DELIVERIES, Reading, calibrated, readings
from exports.command import export_run
from exports.registry import ModelEntry, Registry
from exports.runtime import Detector, family_names, open_detector
from generators.training.checkpoint import CHECKPOINT, CONFIG

TWINS = "twins"  # the folder of a run that holds what was laid beside the known twins
CONFIGURATION = TrainConfig(
    pairs=PairConfig(ramp_crops=0, favoured=NEW),
    learning_rate=1e-3,
    warm_up_crops=5_000,
    total_crops=120_000,
    cooldown=0.5,
)


@dataclass(frozen=True)
class Learned:
    """What came of it: how training ended, the gates, and the published model if all of them hold."""

    addition: Addition
    stopped: str
    gates: tuple[Gate, ...]
    entry: ModelEntry | None


@dataclass(frozen=True)
class Order:
    """What to learn: `added` beside `twins`, from the run in `start`, into `out`.

    `service` is the detector it has to hold against, `reading` its calibration; `name` and `version` are what
    is published in `models`. Calibration and gates read `share` of the groups of the known twins.
    """

    twins: Path
    added: Path
    start: Path
    out: Path
    service: ModelEntry
    reading: Calibration
    name: str
    version: str
    tiles: int
    share: float = 0.5
    budget_minutes: float | None = None
    seed: int = 0


def learn(
    order: Order,
    models: Registry,
    *,
    resume: bool = False,
    workers: int = 1,
    config: TrainConfig = CONFIGURATION,
    on_progress: Callable[[Progress], None] | None = None,
    on_judging: Callable[[int, int], None] | None = None,
) -> Learned:
    """Train, calibrate, judge and, if every gate holds, publish as the default detector of `models`.

    `on_judging(done, of)` is told of each picture that is scored. Raises what training, exporting and reading
    raise; UsageError where `start` holds no finished run.
    """
    addition = add(order.twins, order.added, order.out / TWINS)
    left_out = _left_out(order.start)
    record = train_detector(
        addition.folder,
        order.out,
        config=replace(
            config,
            model=replace(load(order.start / WEIGHTS).config, families=()),
            pairs=replace(config.pairs, left_out=left_out),
        ),
        budget_minutes=order.budget_minutes,
        seed=order.seed,
        resume=resume and (order.out / CHECKPOINT).is_file(),
        start=order.start,
        workers=workers,
        on_progress=on_progress,
    )
    if record.stopped == "interrupted":
        return Learned(addition, record.stopped, (), None)
    with tempfile.TemporaryDirectory() as scratch:
        entry = export_run(order.out, order.name, order.version, models=Registry([Path(scratch)]))
        families = family_names(entry)
        learned, service = open_detector(entry), open_detector(order.service)
        judge = _Judge(addition, order, on_judging)
        calibration = calibrated(judge.read(learned, "cal"), families)
        after = [item.scored(calibration.part_margin) for item in judge.read(learned, "test")]
        before = [item.scored(order.reading.part_margin) for item in judge.read(service, "test")]
    found = gates(before, after, order.reading, calibration, addition.families)
    if not all(gate.holds for gate in found):
        return Learned(addition, record.stopped, found, None)
    facts = {
        "calibration": calibration.to_dict(),
        "metrics": {"gates": [f"{gate.name}: {gate.found}" for gate in found]},
        "limits": [f"It learned {', '.join(addition.families)} on top of {order.service.label}."],
    }
    published = export_run(order.out, order.name, order.version, default=True, facts=facts, models=models)
    return Learned(addition, record.stopped, found, published)


class _Judge:
    """The pictures that calibrate and judge, counted over all of their readings."""

    def __init__(
        self, addition: Addition, order: Order, on_judging: Callable[[int, int], None] | None
    ) -> None:
        entries = read(addition.folder)
        known = chosen([entry for entry in entries if entry.source != NEW], order.share)
        self._entries = [*known, *(entry for entry in entries if entry.source == NEW)]
        self._tiles, self._tell = order.tiles, on_judging
        counts = {split: sum(entry.split == split for entry in self._entries) for split in ("cal", "test")}
        self._of, self._done = counts["cal"] + 2 * counts["test"], 0

    def read(self, session: Detector, split: str) -> list[Reading]:
        """Readings under every delivery to calibrate, and as they lie there to judge."""
        mine = [entry for entry in self._entries if entry.split == split]
        ways = DELIVERIES if split == "cal" else {AS_DELIVERED: DELIVERIES[AS_DELIVERED]}
        found = readings(session, mine, self._tiles, deliveries=ways, on_progress=self._progress)
        self._done += len(mine)
        return found

    def _progress(self, done: int) -> None:
        if self._tell is not None:
            self._tell(self._done + done, self._of)


def _left_out(start: Path) -> tuple[str, ...]:
    """The families that the run in `start` never saw, and that this one shall not see either."""
    try:
        settled: dict[str, Any] = json.loads((start / CONFIG).read_text("utf-8"))
        return tuple(settled["config"]["pairs"]["left_out"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{start} holds no run of the detector.", "Name the folder of `touchstone train detector`."
        ) from None
