"""The confound linter: can real and fake be told apart in a data set without looking at the forgery?

Most published detectors learned the file format, the size or the content of their training set
("Fake or JPEG?", Grommelt et al. 2024, arXiv 2403.17608). Each probe below sees one such shortcut alone
and is a small logistic regression, judged on groups it was not fitted on. An AUC above 0.55 is a leak;
the report names it and says how to mend it. Numpy only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.metrics import auc, bootstrap
from detector.readers import Entry, OnFailed, decoded
from detector.thresholds import sigmoid
from evidence.errors import DataError
from evidence.medium import MediaInfo, Pixels

Array = NDArray[np.float64]

LIMIT = 0.55
FOLDS = 5
RIDGE = 3.0  # on standardised features: strong enough for 192 of them and a few hundred pictures


@dataclass(frozen=True)
class ProbeResult:
    """What one shortcut alone achieves. An advisory probe informs; it does not decide."""

    name: str
    auc: float
    interval: tuple[float, float]
    passed: bool
    advisory: bool
    advice: str


@dataclass(frozen=True)
class LintReport:
    """Every probe, the worst first, and what is in two splits or under two labels at once."""

    reals: int
    fakes: int
    probes: tuple[ProbeResult, ...]
    duplicates_across_splits: tuple[tuple[str, str], ...]
    groups_across_splits: tuple[str, ...]
    duplicates_across_labels: tuple[tuple[str, str], ...]

    @property
    def passed(self) -> bool:
        """Whether no probe that decides found a leak and nothing is in two places."""
        found = self.duplicates_across_splits or self.groups_across_splits or self.duplicates_across_labels
        return not found and all(probe.passed or probe.advisory for probe in self.probes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, with `passed` first."""
        return {"passed": self.passed, **asdict(self)}


def lint(
    entries: Sequence[Entry],
    *,
    limit: float = LIMIT,
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
    on_failed: OnFailed | None = None,
) -> LintReport:
    """Probe a labelled data set for shortcuts; raises DataError below five groups of either class.

    A picture that cannot be decoded is left out and handed to `on_failed`; without that it is raised.
    """
    _require_groups(entries)
    seen: dict[str, list[Array]] = defaultdict(list)
    digests, kept = [], []
    for entry, info, pixels in decoded(entries, on_progress, on_failed):
        kept.append(entry)
        digests.append(info.sha256)
        for name, (features, _, _) in _PROBES.items():
            seen[name].append(features(entry.path, info, pixels))
    entries = kept
    _require_groups(entries)
    labels = np.array([entry.label == "fake" for entry in entries], np.float64)
    groups = [entry.group for entry in entries]
    probes = []
    for name, (_, advisory, advice) in _PROBES.items():
        scores = _out_of_fold(np.stack(seen[name]), labels, groups, seed)
        found = auc(labels, scores)
        # Below one half a regression was fooled by its own groups: chance, not a shortcut.
        interval = bootstrap(auc, labels, scores, groups, draws=200, seed=seed)
        passed = found <= limit
        probes.append(ProbeResult(name, found, interval, passed, advisory, "" if passed else advice))
    return LintReport(
        reals=int((labels == 0).sum()),
        fakes=int(labels.sum()),
        probes=tuple(sorted(probes, key=lambda probe: -probe.auc)),
        duplicates_across_splits=_same_bytes(entries, digests, lambda entry: entry.split),
        groups_across_splits=_split_groups(entries),
        duplicates_across_labels=_same_bytes(entries, digests, lambda entry: entry.label),
    )


def _require_groups(entries: Sequence[Entry]) -> None:
    for label in ("real", "fake"):
        count = len({entry.group for entry in entries if entry.label == label})
        if count < FOLDS:
            raise DataError(
                f"The data set has {count} groups of {label} pictures; the probes need {FOLDS}.",
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


def _size(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    height, width = pixels.shape[:2]
    whole = [float(side % unit == 0) for unit in (8, 64, 256) for side in (height, width)]
    return np.array([height, width, np.log(height * width), width / height, float(height == width), *whole])


def _format(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    mimes = [float(info.mime == f"image/{name}") for name in ("jpeg", "png", "webp", "tiff", "bmp")]
    sampling = info.jpeg.sampling if info.jpeg else ""
    chroma = [float(sampling == name) for name in ("4:4:4", "4:2:2", "4:2:0", "grey")]
    progressive = float(info.jpeg is not None and info.jpeg.progressive)
    return np.array([*mimes, *chroma, progressive, float(len(info.metadata))])


def _quantisation(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    found = np.zeros(130)
    if info.jpeg is not None:
        found[0], found[1] = 1.0, info.jpeg.quality
        for index, table in enumerate(info.jpeg.tables[:2]):
            found[2 + 64 * index : 66 + 64 * index] = np.log(np.maximum(table, 1))
    return found


def _thumbnail(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    small = cv2.resize(pixels, (8, 8), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64).reshape(-1)


def _histogram(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    bins = [np.bincount((pixels[:, :, c] >> 4).reshape(-1), minlength=16) for c in range(3)]
    counts = np.concatenate(bins).astype(np.float64)
    shares: Array = counts / counts.sum()
    return shares


def _name(path: Path, info: MediaInfo, pixels: Pixels) -> Array:
    stem = path.stem
    digits = sum(letter.isdigit() for letter in stem)
    return np.array([len(stem), digits, stem.count("."), stem.count("_"), stem.count("-"), len(path.suffix)])


_Features = Callable[[Path, MediaInfo, Pixels], Array]

# name -> features, advisory, what to do about a leak
_PROBES: dict[str, tuple[_Features, bool, str]] = {
    "size": (
        _size,
        False,
        "Cut both classes to the same sizes, or forge each fake at the size of its real twin.",
    ),
    "format": (
        _format,
        False,
        "Write both classes in one format with the same chroma sampling, and strip or copy the metadata.",
    ),
    "quantisation tables": (
        _quantisation,
        False,
        "Write each fake with the JPEG tables of its real twin, or recompress both classes alike.",
    ),
    "8x8 thumbnail": (
        _thumbnail,
        False,
        "The classes show different things: pair each fake with the real picture it was made from.",
    ),
    "colour histogram": (
        _histogram,
        False,
        "The fakes' colours drift: put the low-frequency colour of the real twin back.",
    ),
    "file name": (_name, True, "Names give the label away to anything that reads them: use neutral names."),
}


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
