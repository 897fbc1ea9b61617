"""The robustness grid: what delivery does to pictures, one step a cell, and whether verdicts survive it.

Each cell gives AUC, the hit rate at 1 % false alarms, the calibration error and how many verdicts turned from
real to fake or back. Twelve harmless re-encodings, each of quality 90 or more, say how often a picture's
verdict hangs on how it was saved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from detector.corrupt import Step
from detector.entries import Entry
from detector.evaluate import Interval, scores_of
from detector.metrics import auc, bootstrap, calibration_error, tpr_at
from detector.operations import KERNELS, SAMPLINGS
from detector.scoring import Scored
from detector.thresholds import Calibration

Chain = tuple[Step, ...]
ScoreAll = Callable[[str, Chain], Iterable[Scored]]


@dataclass(frozen=True)
class Cell:
    """How good the detector is where every picture was delivered so; `flips` is against the clean ones."""

    name: str
    auc: float
    auc_interval: Interval
    tpr_at_1_percent: float
    calibration_error: float
    flips: float


@dataclass(frozen=True)
class Robustness:
    """`cells` begin with the worst; `flipped` is the share of pictures that any harmless one turned."""

    pictures: int
    cells: tuple[Cell, ...]
    harmless: tuple[tuple[str, float], ...]  # name, share of verdicts it turned
    flipped: float

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def chosen(entries: Sequence[Entry], share: float) -> list[Entry]:
    """About this share of the entries by whole groups; the same ones every time."""
    return [entry for entry in entries if _place(entry.group or entry.key) < share]


def measure(score: ScoreAll, calibration: Calibration, *, draws: int = 200) -> Robustness:
    """The grid; `score` gives the media after a chain of steps, under the name of the delivery."""
    clean = {item.entry.key: item for item in score("", ())}
    before = _words(list(clean.values()), calibration)
    cells = []
    for name, chain in GRID.items():
        items = [item for item in score(name, chain) if item.entry.key in clean]
        labels, logits, scores, _ = scores_of(items, calibration)
        groups = [item.entry.group or item.entry.key for item in items]
        cells.append(
            Cell(
                name=name,
                auc=auc(labels, logits),
                auc_interval=bootstrap(auc, labels, logits, groups, draws=draws),
                tpr_at_1_percent=tpr_at(labels, logits, 0.01),
                calibration_error=calibration_error(labels, scores),
                flips=_share(_turned(before, _words(items, calibration)), before),
            )
        )
    turned: set[str] = set()
    harmless = []
    for name, chain in HARMLESS.items():
        now = _turned(before, _words(list(score(name, chain)), calibration))
        harmless.append((name, _share(now, before)))
        turned |= now
    return Robustness(
        pictures=len(clean),
        cells=tuple(sorted(cells, key=lambda cell: (cell.auc, cell.name))),
        harmless=tuple(harmless),
        flipped=_share(turned, before),
    )


def _words(items: Sequence[Scored], calibration: Calibration) -> dict[str, float]:
    """The verdict on each: 1 fake, 0 real, nan uncertain."""
    verdicts = scores_of(items, calibration)[3].tolist()
    return {item.entry.key: verdict for item, verdict in zip(items, verdicts, strict=True)}


def _turned(before: Mapping[str, float], after: Mapping[str, float]) -> set[str]:
    """Those that were called one thing and are now called the other; to become uncertain is no flip."""
    return {key for key, word in after.items() if key in before and abs(word - before[key]) == 1}


def _share(part: set[str], whole: Mapping[str, float]) -> float:
    return len(part) / len(whole) if whole else float(np.nan)


def _place(group: str) -> float:
    """A number from 0 to 1 that belongs to the group."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()[:8]) / 2**64


def _jpeg(quality: int, sampling: str = "4:2:0", encoder: str = "pillow", shift: int = 0) -> Step:
    settings = {"quality": quality, "sampling": sampling, "encoder": encoder, "shift": shift}
    return Step("jpeg", settings)


def _resize(factor: float, kernel: str, *, back: bool = False) -> Step:
    return Step("resize", {"factor": factor, "kernel": kernel, "back": back})


GRID: dict[str, Chain] = {
    **{
        f"JPEG {quality} {sampling} by {encoder}": (_jpeg(quality, sampling, encoder),)
        for quality in (100, 95, 90, 75, 60, 50, 40, 30)
        for sampling in (SAMPLINGS[0], SAMPLINGS[2])
        for encoder in ("pillow", "opencv")
    },
    "JPEG 90, then 75": (_jpeg(90), _jpeg(75)),
    "JPEG 75, then 75 off its grid": (_jpeg(75), _jpeg(75, shift=4)),
    **{f"WebP {quality}": (Step("webp", {"quality": quality}),) for quality in (90, 75, 50, 30)},
    **{
        f"resize {factor} {kernel}": (_resize(factor, kernel),)
        for factor in (0.25, 0.5, 0.75, 1.25, 2.0)
        for kernel in KERNELS
    },
    **{f"resize {factor} and back": (_resize(factor, "bicubic", back=True),) for factor in (0.5, 0.75, 2.0)},
    **{f"blur {sigma}": (Step("blur", {"sigma": float(sigma)}),) for sigma in (1, 2, 3)},
    **{f"noise {sigma}": (Step("noise", {"sigma": float(sigma), "seed": 0}),) for sigma in (2, 5, 10)},
    **{f"median {size}": (Step("median", {"size": size}),) for size in (3, 5)},
    **{f"gamma {gamma}": (Step("tone", {"gamma": gamma}),) for gamma in (0.7, 1.4)},
    **{f"contrast {contrast}": (Step("tone", {"contrast": contrast}),) for contrast in (0.75, 1.3)},
    "screenshot": (Step("overlay", {"seed": 0}),),
    "half the size, JPEG 60": (_resize(0.5, "area"), _jpeg(60)),
    "a quarter of the size, JPEG 40": (_resize(0.25, "area"), _jpeg(40)),
    **{f"H.264 at CRF {crf}": (Step("video", {"crf": crf}),) for crf in (18, 23, 28, 34, 40)},
}
HARMLESS: dict[str, Chain] = {
    **{
        f"saved as JPEG {quality} {sampling}": (_jpeg(quality, sampling),)
        for quality in (100, 97, 95, 92, 90)
        for sampling in (SAMPLINGS[0], SAMPLINGS[2])
    },
    "saved as JPEG 95 by opencv": (_jpeg(95, encoder="opencv"),),
    "saved as WebP 95": (Step("webp", {"quality": 95}),),
}
