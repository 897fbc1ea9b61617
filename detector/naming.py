"""How often a detector names the right family of generators, and tells families it never saw from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detector.attribution import FamilyReading
from detector.entries import NO_GENERATOR, Entry
from detector.metrics import Rows, auc, intervals
from detector.scoring import Scored


@dataclass(frozen=True)
class Naming:
    """What the naming of `known` forgeries by families trained on, and of `unknown` others, is worth.

    `top_1` is how often the likeliest family of a known one is its own; `unknown_auroc` the chance that a
    known one is surer of its family than an unknown one; `named` the share that a report names at all, and
    `right_of_named` how much of that is right. nan where there is nothing to count. `families` begins with
    the family that is recognised worst: name, forgeries, top-1.
    """

    known: int
    unknown: int
    top_1: float
    unknown_auroc: float
    named: float
    right_of_named: float
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    families: tuple[tuple[str, int, float], ...] = ()


def naming(scored: Sequence[Scored], reading: FamilyReading | None, *, draws: int = 500) -> Naming | None:
    """The table for forgeries that a generator made, named so by their family or else their generator.

    None where the detector tells no families, or there is no such forgery.
    """
    made = [(item.entry, item.families) for item in scored if item.families and has_maker(item.entry)]
    if reading is None or not made:
        return None
    truth = [entry.family or entry.generator for entry, _ in made]
    odds = reading.probabilities([families for _, families in made])
    best, guesses = odds.max(axis=1), [reading.families[place] for place in odds.argmax(axis=1)]
    right = np.array([guess == true for guess, true in zip(guesses, truth, strict=True)])
    known = np.array([true in reading.families for true in truth])
    told = best >= reading.known_at

    def figures(rows: Rows) -> Mapping[str, float]:
        return {
            "top_1": _share(right[rows][known[rows]]),
            "unknown_auroc": auc(known[rows], best[rows]),
            "named": _share(told[rows]),
            "right_of_named": _share(right[rows][told[rows]]),
        }

    groups = [entry.group or entry.key for entry, _ in made]
    each = []
    for name in sorted(set(truth) & set(reading.families)):
        own = right[np.array([true == name for true in truth])]
        each.append((name, len(own), _share(own)))
    return Naming(
        known=int(known.sum()),
        unknown=int((~known).sum()),
        intervals=intervals(figures, groups, draws=draws),
        families=tuple(sorted(each, key=lambda row: (row[2], row[0]))),
        **figures(np.arange(len(made))),
    )


def has_maker(entry: Entry) -> bool:
    """Whether a generator made it: not a photograph, nor photographs put together."""
    return entry.label == "fake" and entry.kind not in NO_GENERATOR


def _share(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
