"""Whether a detector that learned a new family may take the place of the one in service.

Every gate must hold. Both are held against the same pictures, which neither learned from. What varies by
chance is told from what changed by drawing whole groups of pictures again (paired bootstrap) and, for false
alarms, by the exact one-sided sign test over the pictures on which the two disagree (McNemar 1947).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from detector.evaluate import scores_of
from detector.metrics import Rows, auc, intervals
from detector.scoring import Scored
from detector.thresholds import Calibration

LEARNED = 0.95  # AUC of a new family that counts as learned
FORGOTTEN = 0.003  # AUC over the known families that may be lost
FAMILY_LOST = 0.02  # AUC of one known family that may be lost beyond chance
RISEN = 0.05  # false alarms have risen when chance alone would do it less often


@dataclass(frozen=True)
class Gate:
    """One condition in words, what was found, and whether it holds."""

    name: str
    found: str
    holds: bool


def gates(
    before: Sequence[Scored],
    after: Sequence[Scored],
    reading: Calibration,
    new_reading: Calibration,
    families: Sequence[str],
) -> tuple[Gate, ...]:
    """The gates for a detector that learned `families`; the same pictures `before` and `after`, in order."""
    labels, old, _, old_words = scores_of(before, reading)
    _, new, _, new_words = scores_of(after, new_reading)
    family = np.array([item.entry.family or item.entry.generator for item in before])
    groups = [item.entry.group or item.entry.key for item in before]
    real, added = labels == 0, np.isin(family, families) & (labels == 1)
    known = sorted(set(family[(labels == 1) & ~added].tolist()))
    every = np.arange(len(labels))

    def lost(rows: Rows) -> Mapping[str, float]:
        return {
            name: _auc(labels, old, rows, family == name) - _auc(labels, new, rows, family == name)
            for name in known
        }

    learned = [
        _learned(name, *(_auc(labels, logits, every, family == name) for logits in (old, new)))
        for name in families
    ]
    forgotten = auc(labels[~added], old[~added]) - auc(labels[~added], new[~added])
    bounds = {name: span[0] for name, span in intervals(lost, groups).items()}
    worst = max(bounds, key=bounds.__getitem__)
    return (
        *learned,
        Gate(
            f"over known families, AUC loses {FORGOTTEN} at most",
            f"{-forgotten:+.4f}",
            bool(forgotten <= FORGOTTEN),
        ),
        Gate(
            f"no known family loses more than {FAMILY_LOST} of AUC beyond chance",
            f"worst {worst}: {-lost(every)[worst]:+.4f}",
            bool(bounds[worst] <= FAMILY_LOST),
        ),
        _alarms(old_words[real] == 1, new_words[real] == 1),
    )


def _learned(name: str, before: float, after: float) -> Gate:
    return Gate(
        f"{name}: AUC {LEARNED} or more, and more than before",
        f"{before:.4f} before, {after:.4f} now",
        bool(after >= LEARNED and after > before),
    )


def _alarms(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Gate:
    rose, fell = int((after & ~before).sum()), int((before & ~after).sum())
    return Gate(
        "false alarms have not risen",
        f"{int(before.sum())} before, {int(after.sum())} now, of {len(before)}",
        _sign_test(rose, fell) >= RISEN,
    )


def _auc(
    labels: NDArray[np.float64], logits: NDArray[np.float64], rows: Rows, mine: NDArray[np.bool_]
) -> float:
    """The AUC of one family's forgeries against every real, among `rows`."""
    counted = rows[(labels[rows] == 0) | mine[rows]]
    return auc(labels[counted], logits[counted])


def _sign_test(rose: int, fell: int) -> float:
    """The chance that of all that changed at least `rose` would rise, were either way as likely."""
    changed = rose + fell
    return float(sum(comb(changed, count) for count in range(rose, changed + 1)) / 2**changed)
