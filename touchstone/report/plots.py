"""The curves of an evaluation as one PNG: who is caught at what price, and what a score is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from detector.scoring import Scored
from detector.thresholds import Calibration
from touchstone.report.sink import unwritable

BINS = 10


def draw_curves(scored: Sequence[Scored], calibration: Calibration, path: Path) -> None:
    """Draw the ROC curve (logarithmic false alarms) and the reliability diagram. Raises OutputError."""
    labels = np.array([item.entry.label == "fake" for item in scored])
    logits = np.array([item.logit for item in scored])
    scores = np.array([calibration.at(i.short_side, i.quality).score(i.logit) for i in scored])
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    roc, reliability = figure.subplots(1, 2)
    alarms, caught = _roc(labels, logits)
    roc.step(np.maximum(alarms, 0.5 / max(1, (~labels).sum())), caught, where="post")
    roc.set(xscale="log", xlabel="false alarms among reals", ylabel="fakes caught", ylim=(0, 1), title="ROC")
    roc.grid(alpha=0.3)
    stated, true = _reliability(labels, scores)
    reliability.plot([0, 1], [0, 1], "--", color="grey")
    reliability.plot(stated, true, "o-")
    reliability.set(xlabel="stated probability of fake", ylabel="share that is fake", title="Reliability")
    reliability.grid(alpha=0.3)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise unwritable(path, error) from None


def _roc(labels: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-alarm rates and true-positive rates, one point a distinct threshold, from strict to lax."""
    order = np.argsort(-logits, kind="stable")
    last = np.append(np.diff(logits[order]) != 0, True)
    caught, alarms = np.cumsum(labels[order])[last], np.cumsum(~labels[order])[last]
    return alarms / max(1, alarms[-1]), caught / max(1, caught[-1])


def _reliability(labels: np.ndarray, scores: np.ndarray) -> tuple[list[float], list[float]]:
    """The mean score and the share of fakes in each bin of scores that holds any."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    held = [bins == number for number in range(BINS) if (bins == number).any()]
    return [float(scores[bin_].mean()) for bin_ in held], [float(labels[bin_].mean()) for bin_ in held]
