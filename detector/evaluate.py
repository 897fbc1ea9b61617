"""The tables of an evaluation: how good a detector is on a labelled collection, worst generator first.

Real and fake accuracy stand apart, at one frozen threshold; every figure has an interval by bootstrap over
groups. What the tables cannot show by themselves is said in words: a generator without reals of its own, a
direction that looks reversed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.entries import Entry
from detector.metrics import (
    Rows,
    auc,
    aurc,
    average_precision,
    bootstrap,
    brier,
    calibration_error,
    equal_error_rate,
    error_at,
    intervals,
    tpr_at,
)
from detector.naming import Naming, naming
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import DataError

Array = NDArray[np.float64]
Interval = tuple[float, float]

BIG_MARK = 0.01  # of a picture's area: what a real one may be marked by mistake


@dataclass(frozen=True)
class PixelRow:
    """How the maps of forgeries answer their masks: means over pictures, with their intervals."""

    pictures: int
    auc: float
    auc_interval: Interval
    f1: float
    f1_interval: Interval


@dataclass(frozen=True)
class Row:
    """One generator's fakes against the reals that belong with them.

    `intervals` holds one for each figure, by its name. `error_at_90_percent` is among the 90 % of the
    pictures that the detector is surest of. `video_auc` is over the means of the frames of each video,
    where the frames are the pictures.
    """

    name: str
    reals: int
    fakes: int
    auc: float
    auc_interval: Interval
    average_precision: float
    equal_error_rate: float
    tpr_at_1_percent: float
    tpr_at_01_percent: float
    real_accuracy: float  # reals not called fake
    fake_accuracy: float  # fakes called fake
    balanced_accuracy: float
    uncertain: float  # neither word is given
    calibration_error: float
    brier: float
    aurc: float
    error_at_90_percent: float
    intervals: dict[str, Interval] = field(default_factory=dict)
    pixels: PixelRow | None = None
    video_auc: float | None = None


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
    """`rows` and `sources` begin with the worst; `pooled` takes all pictures together.

    `marked_reals` is the share of reals of which more than 1 % is marked as forged; None without maps.
    `naming` is None where nobody is told who made a forgery.
    """

    rows: tuple[Row, ...]
    sources: tuple[SourceRow, ...]
    pooled: Row
    mean_auc: float
    marked_reals: float | None = None
    naming: Naming | None = None
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def tabulate(
    scored: Sequence[Scored],
    calibration: Calibration,
    *,
    by: Callable[[Entry], str] = lambda entry: entry.family or entry.generator,
    draws: int = 500,
) -> Evaluation:
    """The tables for scored media; `by` names the row of a fake (its family, else its generator).

    Fakes whose pool holds reals are judged against those, and a row that bears the name of reals likewise;
    all others against every real. Raises DataError unless both classes are there.
    """
    reals = [item for item in scored if item.entry.label == "real"]
    fakes = [item for item in scored if item.entry.label == "fake"]
    if not reals or not fakes:
        raise DataError(
            f"The collection holds {len(reals)} real and {len(fakes)} fake pictures.",
            "An evaluation needs both; --reals names a folder of reals that lie elsewhere.",
        )
    rows = []
    for name in sorted({by(item.entry) for item in fakes}):
        mine = [item for item in fakes if by(item.entry) == name]
        pools = {_pool(item.entry) for item in mine} - {""}
        own = [item for item in reals if _pool(item.entry) in pools or (name and by(item.entry) == name)]
        rows.append(_row(name or "unnamed", own or reals, mine, calibration, draws))
    pooled = _row("pooled", reals, fakes, calibration, draws)
    areas = [item.marked.area for item in reals if item.marked is not None]
    return Evaluation(
        rows=tuple(sorted(rows, key=lambda row: (row.auc, row.name))),
        sources=_source_rows(reals, calibration, draws),
        pooled=pooled,
        mean_auc=float(np.mean([row.auc for row in rows])),
        marked_reals=float(np.mean([area > BIG_MARK for area in areas])) if areas else None,
        naming=naming(fakes, calibration.families, draws=draws),
        remarks=tuple(_remarks(rows, pooled, reals, fakes)),
    )


def scores_of(scored: Sequence[Scored], calibration: Calibration) -> tuple[Array, Array, Array, Array]:
    """Labels (0 real, 1 fake), logits, calibrated scores, and verdicts (1 fake, 0 real, nan uncertain)."""
    labels = np.array([item.entry.label == "fake" for item in scored], np.float64)
    logits = np.array([item.logit for item in scored])
    points = [calibration.at(item.short_side, item.quality) for item in scored]
    scores = np.array([point.score(logit) for point, logit in zip(points, logits, strict=True)])
    words = {"fake": 1.0, "real": 0.0}
    verdicts = [words.get(p.verdict(s), np.nan) for p, s in zip(points, scores, strict=True)]
    return labels, logits, scores, np.array(verdicts)


def _pool(entry: Entry) -> str:
    return entry.pool or entry.generator


def _row(
    name: str, reals: Sequence[Scored], fakes: Sequence[Scored], calibration: Calibration, draws: int
) -> Row:
    items = [*reals, *fakes]
    labels, logits, scores, verdicts = scores_of(items, calibration)

    def figures(rows: Rows) -> dict[str, float]:
        return _figures(labels[rows], logits[rows], scores[rows], verdicts[rows])

    spans = intervals(figures, [item.entry.group or item.entry.key for item in items], draws=draws)
    return Row(
        name=name,
        reals=len(reals),
        fakes=len(fakes),
        auc_interval=spans["auc"],
        intervals=spans,
        pixels=_pixel_row(fakes, draws),
        video_auc=_video_auc(items),
        **figures(np.arange(len(items))),
    )


def _figures(labels: Array, logits: Array, scores: Array, verdicts: Array) -> dict[str, float]:
    called, real, fake = verdicts == 1, labels == 0, labels == 1
    real_accuracy = float(1 - called[real].mean()) if real.any() else np.nan
    fake_accuracy = float(called[fake].mean()) if fake.any() else np.nan
    return {
        "auc": auc(labels, logits),
        "average_precision": average_precision(labels, logits),
        "equal_error_rate": equal_error_rate(labels, logits),
        "tpr_at_1_percent": tpr_at(labels, logits, 0.01),
        "tpr_at_01_percent": tpr_at(labels, logits, 0.001),
        "real_accuracy": real_accuracy,
        "fake_accuracy": fake_accuracy,
        "balanced_accuracy": 0.5 * (real_accuracy + fake_accuracy),
        "uncertain": float(np.isnan(verdicts).mean()),
        "calibration_error": calibration_error(labels, scores),
        "brier": brier(labels, scores),
        "aurc": aurc(labels, scores),
        "error_at_90_percent": error_at(labels, scores, 0.9),
    }


def _pixel_row(fakes: Sequence[Scored], draws: int) -> PixelRow | None:
    masked = [(item.entry, item.marked) for item in fakes if item.marked and item.marked.auc is not None]
    if not masked:
        return None
    aucs = np.array([marked.auc for _, marked in masked], np.float64)
    f1s = np.array([marked.f1 for _, marked in masked], np.float64)
    groups = [entry.group or entry.key for entry, _ in masked]
    spans = intervals(
        lambda rows: {"auc": float(aucs[rows].mean()), "f1": float(f1s[rows].mean())}, groups, draws=draws
    )
    return PixelRow(len(masked), float(aucs.mean()), spans["auc"], float(f1s.mean()), spans["f1"])


def _video_auc(items: Sequence[Scored]) -> float | None:
    """Over the mean logit of each video's frames; None where the pictures are no frames."""
    videos: dict[tuple[str, str], list[float]] = {}
    for item in items:
        if item.entry.video:
            videos.setdefault((item.entry.label, item.entry.video), []).append(item.logit)
    if not videos:
        return None
    labels = [float(label == "fake") for label, _ in videos]
    return auc(labels, [float(np.mean(logits)) for logits in videos.values()])


def _remarks(rows: Sequence[Row], pooled: Row, reals: Sequence[Scored], fakes: Sequence[Scored]) -> list[str]:
    """What a reader must know before the figures: reversed labels, missing halves."""
    found = []
    for row in (pooled, *rows):
        if row.auc_interval[1] < 0.5:
            whose = "All fakes together score" if row is pooled else f"The fakes of {row.name} score"
            found.append(
                f"{whose} below the reals (AUC {row.auc:.3f}, interval below 0.5): either the labels are "
                "reversed (a table whose 0 is fake, folders read by order) or the detector's direction is "
                '(`fake_is = "low"` in its TOML), or it has learned a shortcut that is turned round here.'
            )
    with_reals = {_pool(item.entry) for item in reals} - {""}
    with_fakes = {_pool(item.entry) for item in fakes} - {""}
    if with_reals & with_fakes:
        for name in sorted(with_fakes - with_reals):
            found.append(f"{name} has no reals of its own here: its fakes are judged against all reals.")
        for name in sorted(with_reals - with_fakes):
            found.append(f"{name} has reals and no fakes here: it has no row, its reals count in the pool.")
    return found


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
