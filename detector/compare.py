"""Detectors side by side on one collection: which families, deliveries and attacks break which of them.

Each line holds the same pictures before every detector; at its own frozen threshold each says its word.
Lines begin with the one on which some detector fares worst, and name the pictures on which they were surest
and wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from detector.entries import Entry
from detector.evaluate import Interval, scores_of
from detector.metrics import auc, bootstrap, tpr_at
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import DataError

Facet = Literal["family", "delivery", "attack"]
FACETS: tuple[Facet, ...] = ("family", "delivery", "attack")
MOST_EXAMPLES = 4
PLAIN = "as it is"
POOLED = "all together"


@dataclass(frozen=True)
class Judged:
    """What one detector said of every picture, and how it is read."""

    scored: Sequence[Scored]
    calibration: Calibration


@dataclass(frozen=True)
class Standing:
    """How one detector fares on the pictures of a line; `caught` of the fakes, `alarms` of the reals."""

    auc: float
    auc_interval: Interval
    tpr_at_1_percent: float
    caught: float
    alarms: float
    uncertain: float


@dataclass(frozen=True)
class Example:
    """A picture on which a detector is wrong, by its key, with the score it got."""

    key: str
    detector: str
    label: str
    score: float


@dataclass(frozen=True)
class Line:
    """The pictures of one family, delivery or attack; `standings` in the order of the detectors."""

    facet: Facet
    name: str
    reals: int
    fakes: int
    standings: tuple[Standing, ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Comparison:
    """`lines` of each facet begin with the worst; `pooled` takes all pictures together."""

    detectors: tuple[str, ...]
    pooled: Line
    lines: tuple[Line, ...]

    def of(self, facet: Facet) -> tuple[Line, ...]:
        """The lines of one facet."""
        return tuple(line for line in self.lines if line.facet == facet)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def compare(judged: Mapping[str, Judged], *, draws: int = 200) -> Comparison:
    """The comparison on what every detector could score. Raises DataError unless both classes are there."""
    common = set.intersection(*({item.entry.key for item in one.scored} for one in judged.values()))
    first = next(iter(judged.values()))
    entries = [item.entry for item in first.scored if item.entry.key in common]
    if {entry.label for entry in entries} != {"real", "fake"}:
        raise DataError(
            f"The detectors could score {len(entries)} pictures in common, and not of both classes.",
            "A comparison needs real and fake pictures that all of them can read.",
        )
    table = {
        name: {item.entry.key: item for item in one.scored if item.entry.key in common}
        for name, one in judged.items()
    }
    calm = [entry for entry in entries if not entry.attack] or entries
    lines = [
        _line(judged, table, facet, name, members, draws)
        for facet, name, members in _groups(entries, calm)
        if {entry.label for entry in members} == {"real", "fake"}
    ]
    return Comparison(
        detectors=tuple(judged),
        pooled=_line(judged, table, "family", POOLED, entries, draws),
        lines=tuple(sorted(lines, key=lambda line: (FACETS.index(line.facet), _worst(line), line.name))),
    )


def _groups(entries: Sequence[Entry], calm: Sequence[Entry]) -> list[tuple[Facet, str, list[Entry]]]:
    """Facet, name and members of each line; a delivery is none where all pictures came the same way."""
    reals = [entry for entry in calm if entry.label == "real"]
    fakes = [entry for entry in calm if entry.label == "fake"]
    groups: list[tuple[Facet, str, list[Entry]]] = [
        ("family", name, [*reals, *members])
        for name, members in _by(fakes, lambda entry: entry.family or entry.generator or "unnamed").items()
    ]
    deliveries = _by(calm, lambda entry: entry.treatment or PLAIN)
    if len(deliveries) > 1:
        groups += [("delivery", name, members) for name, members in deliveries.items()]
    for name, members in _by(
        [entry for entry in entries if entry.attack], lambda entry: entry.attack
    ).items():
        labels = {entry.label for entry in members}
        # An attack on fakes alone is measured against the reals that nobody touched, and the other way.
        rest = [entry for entry in calm if entry.label not in labels and not entry.attack]
        groups.append(("attack", name, [*members, *rest]))
    return groups


def _by(entries: Sequence[Entry], name: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(name(entry), []).append(entry)
    return groups


def _line(
    judged: Mapping[str, Judged],
    table: Mapping[str, Mapping[str, Scored]],
    facet: Facet,
    name: str,
    members: Sequence[Entry],
    draws: int,
) -> Line:
    standings, wrong = [], []
    for detector, one in judged.items():
        items = [table[detector][entry.key] for entry in members]
        standings.append(_standing(items, one.calibration, draws))
        # Every family stands against the same reals: the same false alarms would be shown with each.
        own = [item for item in items if item.entry.label == "fake"] if name != POOLED else items
        wrong += _wrong(detector, own if facet == "family" else items, one.calibration)
    return Line(
        facet=facet,
        name=name,
        reals=sum(entry.label == "real" for entry in members),
        fakes=sum(entry.label == "fake" for entry in members),
        standings=tuple(standings),
        examples=_spread(wrong),
    )


def _standing(items: Sequence[Scored], calibration: Calibration, draws: int) -> Standing:
    labels, logits, _, verdicts = scores_of(items, calibration)
    groups = [item.entry.group or item.entry.key for item in items]
    return Standing(
        auc=auc(labels, logits),
        auc_interval=bootstrap(auc, labels, logits, groups, draws=draws),
        tpr_at_1_percent=tpr_at(labels, logits, 0.01),
        caught=float((verdicts[labels == 1] == 1).mean()),
        alarms=float((verdicts[labels == 0] == 1).mean()),
        uncertain=float(np.isnan(verdicts).mean()),
    )


def _wrong(detector: str, items: Sequence[Scored], calibration: Calibration) -> list[Example]:
    """Fakes that were not called fake and reals that were, the surest first, each class by itself."""
    labels, _, scores, verdicts = scores_of(items, calibration)
    found = []
    for item, label, score, verdict in zip(items, labels, scores, verdicts, strict=True):
        if (label == 1) != (verdict == 1):
            margin = score if label == 1 else 1 - score
            found.append((margin, Example(item.entry.key, detector, item.entry.label, float(score))))
    return [example for _, example in sorted(found, key=lambda pair: (pair[0], pair[1].key))]


def _spread(wrong: Sequence[Example]) -> tuple[Example, ...]:
    """A few examples in which every detector and both kinds of error have their turn; no picture twice."""
    queues: dict[tuple[str, str], list[Example]] = {}
    for example in wrong:
        queues.setdefault((example.label, example.detector), []).append(example)
    kept: list[Example] = []
    while any(queues.values()) and len(kept) < MOST_EXAMPLES:
        for queue in queues.values():
            while queue and queue[0].key in {one.key for one in kept}:
                queue.pop(0)
            if queue and len(kept) < MOST_EXAMPLES:
                kept.append(queue.pop(0))
    return tuple(kept)


def _worst(line: Line) -> float:
    return min(standing.auc for standing in line.standings)
