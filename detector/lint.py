"""The confound linter: can real and fake be told apart in a data set without looking at the forgery?

Most published detectors learned the file format, the size or the content of their training set
("Fake or JPEG?", Grommelt et al. 2024, arXiv 2403.17608). Each probe below sees one such shortcut alone
and is a small logistic regression, judged on groups it was not fitted on. An AUC above 0.55 that
no chance explains is a leak; the report names it and says how to mend it. Where the interval is too wide
for either word, the pictures are too few to tell. Numpy only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.entries import FOLDERS, Entry
from detector.metrics import auc, bootstrap
from detector.odds import sigmoid
from detector.probes import PROBES
from detector.readers import OnFailed, decoded
from evidence.errors import DataError
from evidence.medium import Pixels

Array = NDArray[np.float64]

LIMIT = 0.55
SLACK = 0.05  # above the limit: a probe whose interval reaches further has seen too few pictures
WIDER = 1.4  # than 95 % to be 99.3 %, so that all seven probes together seldom cry out by chance
CONTRADICTED = 0.5  # of the pictures whose path names a label: more than these, and the labels are reversed
FOLDS = 5
RIDGE = 3.0  # on standardised features: strong enough for 192 of them and a few hundred pictures


@dataclass(frozen=True)
class ProbeResult:
    """What one shortcut alone achieves. An advisory probe informs; it does not decide.

    One that neither passed nor leaks has seen too few pictures to tell.
    """

    name: str
    auc: float
    interval: tuple[float, float]
    passed: bool
    leaks: bool
    advisory: bool
    advice: str


class LookAlikes(Protocol):
    """Remembers how pictures look."""

    def add(self, pixels: Pixels) -> Sequence[int]:
        """Remember one more, and name the earlier ones that look the same by their order of coming."""


@dataclass(frozen=True)
class LintReport:
    """Every probe, the worst first, and what is in two splits or under two labels at once.

    `labels_contradicted` are pictures whose path says the other label, where most do.
    """

    reals: int
    fakes: int
    probes: tuple[ProbeResult, ...]
    duplicates_across_splits: tuple[tuple[str, str], ...]
    lookalikes_across_splits: tuple[tuple[str, str], ...]
    groups_across_splits: tuple[str, ...]
    duplicates_across_labels: tuple[tuple[str, str], ...]
    labels_contradicted: tuple[str, ...]

    @property
    def verdict(self) -> Literal["passed", "failed", "too few to tell"]:
        """Failed when a probe that decides leaks or something is in two places."""
        found = (
            self.duplicates_across_splits
            or self.lookalikes_across_splits
            or self.groups_across_splits
            or self.duplicates_across_labels
            or self.labels_contradicted
        )
        deciding = [probe for probe in self.probes if not probe.advisory]
        if found or any(probe.leaks for probe in deciding):
            return "failed"
        return "passed" if all(probe.passed for probe in deciding) else "too few to tell"

    @property
    def passed(self) -> bool:
        """Whether no probe that decides found a leak, all could tell, and nothing is in two places."""
        return self.verdict == "passed"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with `passed` and `verdict` first."""
        return {"passed": self.passed, "verdict": self.verdict, **asdict(self)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> LintReport:
        """What `to_dict` gave, also after it was JSON."""
        said = {one.name: plain[one.name] for one in fields(cls)}
        pairs = {
            name: tuple(map(_tuple, said[name])) for name in said if isinstance(said[name], (list, tuple))
        }
        probes = [ProbeResult(**{**probe, "interval": tuple(probe["interval"])}) for probe in plain["probes"]]
        return cls(**said | pairs | {"probes": tuple(probes)})


def _tuple(found: Any) -> Any:
    return tuple(found) if isinstance(found, list) else found


def lint(
    entries: Sequence[Entry],
    *,
    limit: float = LIMIT,
    seed: int = 0,
    look_alikes: LookAlikes | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_failed: OnFailed | None = None,
) -> LintReport:
    """Probe a labelled data set for shortcuts; raises DataError below five groups of either class.

    A picture that cannot be decoded is left out and handed to `on_failed`; without that it is raised.
    `look_alikes` finds pictures that were only re-encoded or resized.
    """
    _require_groups(entries)
    seen: dict[str, list[Array]] = defaultdict(list)
    digests: list[str] = []
    kept: list[Entry] = []
    alike: list[tuple[str, str]] = []
    for entry, info, pixels in decoded(entries, on_progress, on_failed):
        kept.append(entry)
        digests.append(info.sha256)
        for number in look_alikes.add(pixels) if look_alikes else ():
            if kept[number].split != entry.split and digests[number] != info.sha256:
                alike.append((kept[number].key, entry.key))
        for name, (features, _, _) in PROBES.items():
            seen[name].append(features(entry.path, info, pixels))
    entries = kept
    _require_groups(entries)
    labels = np.array([entry.label == "fake" for entry in entries], np.float64)
    groups = [entry.group for entry in entries]
    probes = []
    for name, (_, advisory, advice) in PROBES.items():
        scores = _out_of_fold(np.stack(seen[name]), labels, groups, seed)
        found = auc(labels, scores)
        # Below one half a regression was fooled by its own groups: chance, not a shortcut.
        interval = bootstrap(auc, labels, scores, groups, draws=200, seed=seed)
        leaks = found > limit and found - WIDER * (found - interval[0]) > 0.5
        passed = not leaks and interval[1] <= limit + SLACK
        probes.append(ProbeResult(name, found, interval, passed, leaks, advisory, advice if leaks else ""))
    return LintReport(
        reals=int((labels == 0).sum()),
        fakes=int(labels.sum()),
        probes=tuple(sorted(probes, key=lambda probe: -probe.auc)),
        duplicates_across_splits=_same_bytes(entries, digests, lambda entry: entry.split),
        lookalikes_across_splits=tuple(alike),
        groups_across_splits=_split_groups(entries),
        duplicates_across_labels=_same_bytes(entries, digests, lambda entry: entry.label),
        labels_contradicted=_contradicted(entries),
    )


def _require_groups(entries: Sequence[Entry]) -> None:
    for label in ("real", "fake"):
        count = len({entry.group for entry in entries if entry.label == label})
        if count < FOLDS:
            raise DataError(
                f"Too few to tell: there are {count} groups of {label} pictures; the probes need {FOLDS}.",
                "Add pictures of other sources, or check the group column.",
            )


def _out_of_fold(features: Array, labels: Array, groups: Sequence[str], seed: int) -> Array:
    """A score for each picture from a regression that never saw its group."""
    names = sorted(set(groups))
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % FOLDS, strict=True))
    fold = np.array([fold_of[group] for group in groups])
    scores = np.zeros(len(labels))
    for held_out in range(FOLDS):
        inside = fold != held_out
        mean, deviation = features[inside].mean(0), features[inside].std(0)
        scaled = (features - mean) / np.where(deviation > 1e-9, deviation, np.inf)
        scores[~inside] = scaled[~inside] @ _logistic(scaled[inside], labels[inside])
    return scores


def _logistic(features: Array, labels: Array) -> Array:
    """Weights of a ridge logistic regression without intercept, both classes weighing the same.

    Iterated least squares; the intercept is left out since AUC does not see it. Weights of a feature
    that never varies stay zero.
    """
    fakes = max(float(labels.sum()), 1.0)
    reals = max(len(labels) - fakes, 1.0)
    mass = np.where(labels == 1, 0.5 / fakes, 0.5 / reals) * len(labels)
    weights = np.zeros(features.shape[1])
    ridge = RIDGE * np.eye(features.shape[1])
    for _ in range(12):
        fitted = sigmoid(np.clip(features @ weights, -15, 15))
        gradient = features.T @ (mass * (fitted - labels)) + RIDGE * weights
        curvature = (features.T * (mass * np.maximum(fitted * (1 - fitted), 1e-3))) @ features + ridge
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-5:
            break
    return weights


def _same_bytes(
    entries: Sequence[Entry], digests: Sequence[str], part: Callable[[Entry], str]
) -> tuple[tuple[str, str], ...]:
    """Pairs of files with the same bytes in different parts of the data set."""
    first: dict[str, Entry] = {}
    found = []
    for entry, digest in zip(entries, digests, strict=True):
        held = first.setdefault(digest, entry)
        if part(held) != part(entry):
            found.append((held.key, entry.key))
    return tuple(found)


def _split_groups(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Groups that stand in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        splits[entry.group].add(entry.split)
    return tuple(sorted(group for group, own in splits.items() if len(own) > 1))


def _contradicted(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The pictures that lie under a folder of the other label, if most of those under such folders do."""
    named = []
    for entry in entries:
        words = [FOLDERS[part.lower()] for part in PurePosixPath(entry.key).parts if part.lower() in FOLDERS]
        if words:
            named.append((words[-1] != entry.label, entry.key))
    wrong = tuple(key for contradicts, key in named if contradicts)
    return wrong if len(wrong) > CONTRADICTED * len(named) else ()
