"""Score a labelled collection and say how good the detector is on it, worst generator first.

The scorer is passed in as a function from pixels to a logit, so that what is measured is the path that
runs (the exported graph, tiles and all), and any other detector can be measured alike. Real and fake
accuracy stand apart, at one threshold; every figure has an interval by bootstrap over groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.corrupt import Step, apply
from detector.metrics import (
    auc,
    average_precision,
    bootstrap,
    calibration_error,
    equal_error_rate,
    tpr_at,
)
from detector.readers import Entry, OnFailed, decoded
from detector.thresholds import Calibration
from evidence.errors import DataError
from evidence.medium import Pixels

ScoreImage = Callable[[Pixels], float]


@dataclass(frozen=True)
class Scored:
    """A labelled picture with its logit and what decides its calibration bucket."""

    entry: Entry
    logit: float
    short_side: int
    quality: int  # of the JPEG, 100 when lossless


@dataclass(frozen=True)
class Row:
    """One generator's fakes against the reals that belong with them."""

    name: str
    reals: int
    fakes: int
    auc: float
    auc_interval: tuple[float, float]
    average_precision: float
    equal_error_rate: float
    tpr_at_1_percent: float
    tpr_at_01_percent: float
    real_accuracy: float  # reals not called fake
    fake_accuracy: float  # fakes called fake
    calibration_error: float


@dataclass(frozen=True)
class SourceRow:
    """How often reals of one source are called fake."""

    source: str
    reals: int
    false_alarms: int
    false_alarm_rate: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Evaluation:
    """`rows` and `sources` begin with the worst; `pooled` takes all pictures together."""

    rows: tuple[Row, ...]
    sources: tuple[SourceRow, ...]
    pooled: Row
    mean_auc: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def score_entries(
    entries: Iterable[Entry],
    score_image: ScoreImage,
    *,
    delivered: Sequence[Step] = (),
    on_progress: Callable[[int], None] | None = None,
    on_failed: OnFailed | None = None,
) -> list[Scored]:
    """Decode and score each picture; `delivered` is done to every one first, real and fake alike.

    A picture that cannot be decoded is left out and handed to `on_failed`; without that it is raised.
    """
    found = []
    for entry, info, pixels in decoded(entries, on_progress, on_failed):
        pixels = apply(pixels, delivered)
        quality = info.jpeg.quality if info.jpeg else 100
        for step in delivered:
            quality = int(step.parameters["quality"]) if step.name == "jpeg" else quality
        found.append(Scored(entry, float(score_image(pixels)), min(pixels.shape[:2]), quality))
    return found


def tabulate(
    scored: Sequence[Scored],
    calibration: Calibration,
    *,
    by: Callable[[Entry], str] = lambda entry: entry.family or entry.generator,
    draws: int = 500,
) -> Evaluation:
    """The tables for scored pictures; `by` names the row of a fake (its family, else its generator).

    A generator that brings reals under its own name is judged against those, all others against every
    real. Raises DataError unless both classes are there.
    """
    reals = [item for item in scored if item.entry.label == "real"]
    fakes = [item for item in scored if item.entry.label == "fake"]
    if not reals or not fakes:
        raise DataError(
            f"The collection holds {len(reals)} real and {len(fakes)} fake pictures.",
            "An evaluation needs both.",
        )
    rows = []
    for name in sorted({by(item.entry) for item in fakes}):
        mine = [item for item in fakes if by(item.entry) == name]
        own = [item for item in reals if name and by(item.entry) == name]
        rows.append(_row(name or "unnamed", own or reals, mine, calibration, draws))
    return Evaluation(
        rows=tuple(sorted(rows, key=lambda row: row.auc)),
        sources=_source_rows(reals, calibration, draws),
        pooled=_row("pooled", reals, fakes, calibration, draws),
        mean_auc=float(np.mean([row.auc for row in rows])),
    )


def _row(
    name: str, reals: Sequence[Scored], fakes: Sequence[Scored], calibration: Calibration, draws: int
) -> Row:
    items = [*reals, *fakes]
    labels = np.repeat([0.0, 1.0], [len(reals), len(fakes)])
    logits = np.array([item.logit for item in items])
    points = [calibration.at(item.short_side, item.quality) for item in items]
    scores = np.array([point.score(logit) for point, logit in zip(points, logits, strict=True)])
    called = np.array([point.verdict(s) == "fake" for point, s in zip(points, scores, strict=True)])
    groups = [item.entry.group for item in items]
    return Row(
        name=name,
        reals=len(reals),
        fakes=len(fakes),
        auc=auc(labels, logits),
        auc_interval=bootstrap(auc, labels, logits, groups, draws=draws),
        average_precision=average_precision(labels, logits),
        equal_error_rate=equal_error_rate(labels, logits),
        tpr_at_1_percent=tpr_at(labels, logits, 0.01),
        tpr_at_01_percent=tpr_at(labels, logits, 0.001),
        real_accuracy=float(1 - called[labels == 0].mean()),
        fake_accuracy=float(called[labels == 1].mean()),
        calibration_error=calibration_error(labels, scores),
    )


def _source_rows(reals: Sequence[Scored], calibration: Calibration, draws: int) -> tuple[SourceRow, ...]:
    rows = []
    for source in sorted({item.entry.source for item in reals}):
        mine = [item for item in reals if item.entry.source == source]
        alarms = np.array([_is_alarm(item, calibration) for item in mine], np.float64)
        groups = [item.entry.group for item in mine]
        interval = bootstrap(_share, alarms, alarms, groups, draws=draws)
        rows.append(
            SourceRow(source or "unnamed", len(mine), int(alarms.sum()), float(alarms.mean()), interval)
        )
    return tuple(sorted(rows, key=lambda row: -row.false_alarm_rate))


def _is_alarm(item: Scored, calibration: Calibration) -> bool:
    point = calibration.at(item.short_side, item.quality)
    return point.verdict(point.score(item.logit)) == "fake"


def _share(_: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    return float(values.mean())
