"""How trials of the proof stand beside one another: figures from what each read of the same pictures.

Nothing here trains or reads pictures; `trials.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import plain
from detector.evaluate import Row, scores_of, tabulate
from detector.metrics import Rows, auc, intervals
from detector.scoring import Scored
from detector.thresholds import Calibration
from detector.treatments import TREATMENTS
from evidence.errors import DataError
from exports.calibrating import Reading, calibrated
from testsets.tally import wilson

DRAWS = 200


def read_by(found: Sequence[Reading]) -> tuple[Calibration, str]:
    """The calibration on these pictures; that of nobody, and why not, where a detector ranks at chance."""
    try:
        return calibrated(found), ""
    except DataError as error:
        return Calibration(), str(error)


def under(found: Sequence[Reading], delivery: str, calibration: Calibration) -> list[Scored]:
    """The readings of one delivery as tables take them."""
    return [reading.scored(calibration.part_margin) for reading in found if reading.delivery == delivery]


def standing(scored: Sequence[Scored], calibration: Calibration) -> dict[str, Any]:
    """A detector's figures on these pictures: pooled, by family with the worst first, and on hard reals."""
    found = tabulate(scored, calibration, draws=DRAWS)
    hard = [item for item in scored if item.entry.label == "real" and item.entry.treatment in TREATMENTS]
    alarms = int((scores_of(hard, calibration)[3] == 1).sum()) if hard else 0
    return {
        "pooled": figures(found.pooled),
        "mean_auc": round(found.mean_auc, 4),
        "families": [figures(row) for row in found.rows],
        "hard": {"reals": len(hard), "alarms": alarms, "interval": _rounded(wilson(alarms, len(hard)))},
    }


def figures(row: Row) -> dict[str, Any]:
    """What the page tells of a row."""
    return {**plain(row), "balanced_accuracy": round(row.balanced_accuracy, 4)}


def gain(ours: Sequence[Scored], other: Sequence[Scored]) -> dict[str, Any]:
    """What ours has over the other in AUC of each one's own worst family, and in the mean over families.

    Both judge the same pictures in the same order; the intervals draw whole groups for both alike.
    """
    labels = np.array([item.entry.label == "fake" for item in ours], np.float64)
    families = np.array([item.entry.family for item in ours])
    names = sorted(set(families[labels == 1].tolist()))

    def aucs(side: Sequence[Scored], rows: Rows) -> NDArray[np.float64]:
        logits = np.array([item.logit for item in side])
        reals = rows[labels[rows] == 0]
        mine = [np.append(reals, rows[families[rows] == name]) for name in names]
        found = np.array([auc(labels[some], logits[some]) for some in mine], np.float64)
        return np.asarray(found[np.isfinite(found)])  # a draw may hold no forgery of a family

    def both(rows: Rows) -> Mapping[str, float]:
        here, there = aucs(ours, rows), aucs(other, rows)
        return {"worst": float(here.min() - there.min()), "mean": float(here.mean() - there.mean())}

    spans = intervals(both, [item.entry.group or item.entry.key for item in ours], draws=DRAWS)
    found = both(np.arange(len(labels)))
    return {
        name: {"gain": round(value, 4), "interval": _rounded(spans[name])} for name, value in found.items()
    }


def unseen(folds: Mapping[str, Sequence[Mapping[str, Any]]], seen: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Each family where it was left out, worst first, with the AUC of a detector that saw it (or None)."""
    known = {row["name"]: row["auc"] for row in seen}
    rows = [
        {**row, "fold": fold, "seen_auc": known.get(row["name"])}
        for fold, found in folds.items()
        for row in found
    ]
    return sorted(rows, key=lambda row: (float(row["auc"]), str(row["name"])))


def _rounded(span: tuple[float, float]) -> list[float]:
    return [round(bound, 4) for bound in span]
