"""The robustness grid: what delivery does to pictures, one step a cell, and whether verdicts survive it.

Each cell gives AUC, the hit rate at 1 % false alarms, the calibration error and how many verdicts turned from
real to fake or back. A cell that cannot be measured here (no codec, no clips) stands last and says why.
Twelve harmless re-encodings, each of quality 90 or more, say how often a picture's verdict hangs on how it
was saved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from detector.clips import changes_rate
from detector.corrupt import Step
from detector.entries import Entry
from detector.evaluate import Interval, scores_of
from detector.metrics import auc, bootstrap, calibration_error, tpr_at
from detector.operations import ENCODERS, KERNELS, SAMPLINGS
from detector.presets import PRESETS, jpeg, resize
from detector.scoring import Scored
from detector.thresholds import Calibration
from detector.vocabulary import drawn
from evidence.errors import UsageError
from evidence.video_writer import can_encode

Chain = tuple[Step, ...]
ScoreAll = Callable[[str, Chain], Iterable[Scored]]


@dataclass(frozen=True)
class Cell:
    """How good the detector is where every picture was delivered so; `flips` is against the clean ones.

    `note` says why a cell has no figures.
    """

    name: str
    auc: float
    auc_interval: Interval
    tpr_at_1_percent: float
    calibration_error: float
    flips: float
    note: str = ""


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


def cells_named(pattern: str) -> dict[str, Chain]:
    """The cells of the grid whose names fit a pattern with `*` and `?`. Raises UsageError if none does."""
    found = {name: chain for name, chain in GRID.items() if fnmatchcase(name.lower(), pattern.lower())}
    if not found:
        raise UsageError(
            f"No cell of the grid is named like {pattern!r}.", f"Its cells are {', '.join(GRID)}."
        )
    return found


def measure(
    score: ScoreAll, calibration: Calibration, *, cells: Mapping[str, Chain] | None = None, draws: int = 200
) -> Robustness:
    """The grid, or some of its cells; `score` gives the media after a chain, under the delivery's name."""
    clean = {item.entry.key: item for item in score("", ())}
    before = _words(list(clean.values()), calibration)
    measured = []
    for name, chain in (GRID if cells is None else cells).items():
        why = _unmeasurable(chain, list(clean.values()))
        if why:
            measured.append(Cell(name, np.nan, (np.nan, np.nan), np.nan, np.nan, np.nan, note=why))
            continue
        items = [item for item in score(name, chain) if item.entry.key in clean]
        if changes_rate(chain):
            items = [item for item in items if _is_clip(item)]
        labels, logits, scores, _ = scores_of(items, calibration)
        groups = [item.entry.group or item.entry.key for item in items]
        measured.append(
            Cell(
                name=name,
                auc=auc(labels, logits),
                auc_interval=bootstrap(auc, labels, logits, groups, draws=draws),
                tpr_at_1_percent=tpr_at(labels, logits, 0.01),
                calibration_error=calibration_error(labels, scores),
                flips=_share(_turned(before, _words(items, calibration)), items),
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
        cells=tuple(sorted(measured, key=lambda cell: (bool(cell.note), cell.auc, cell.name))),
        harmless=tuple(harmless),
        flipped=_share(turned, before),
    )


def _unmeasurable(chain: Chain, clean: Sequence[Scored]) -> str:
    """Why the chain cannot be measured on these, or nothing."""
    for step in chain:
        codec = step.settings.get("codec", "h264")
        if step.name == "video" and not can_encode(codec):
            return f"this build of FFmpeg cannot write {codec}"
    if changes_rate(chain) and len({item.entry.label for item in clean if _is_clip(item)}) < 2:
        return "there are no real and forged clips here"
    return ""


def _is_clip(item: Scored) -> bool:
    return item.short_side is None


def _words(items: Sequence[Scored], calibration: Calibration) -> dict[str, float]:
    """The verdict on each: 1 fake, 0 real, nan uncertain."""
    verdicts = scores_of(items, calibration)[3].tolist()
    return {item.entry.key: verdict for item, verdict in zip(items, verdicts, strict=True)}


def _turned(before: Mapping[str, float], after: Mapping[str, float]) -> set[str]:
    """Those that were called one thing and are now called the other; to become uncertain is no flip."""
    return {key for key, word in after.items() if key in before and abs(word - before[key]) == 1}


def _share(part: Sized, whole: Sized) -> float:
    return len(part) / len(whole) if whole else float(np.nan)


def _place(group: str) -> float:
    """A number from 0 to 1 that belongs to the group."""
    return int.from_bytes(hashlib.sha256(group.encode("utf-8", "surrogateescape")).digest()[:8]) / 2**64


GRID: dict[str, Chain] = {
    **{
        f"JPEG {quality} {sampling} by {encoder}": (jpeg(quality, sampling, encoder),)
        for quality in (100, 95, 90, 75, 60, 50, 40, 30)
        for sampling in (SAMPLINGS[0], SAMPLINGS[2])
        for encoder in ENCODERS
    },
    "JPEG 90, then 75": (jpeg(90), jpeg(75)),
    "JPEG 75, then 75 off its grid": (jpeg(75), jpeg(75, shift=4)),
    **{f"WebP {quality}": (Step("webp", {"quality": quality}),) for quality in (90, 75, 50, 30)},
    **{f"AVIF {quality}": (Step("avif", {"quality": quality}),) for quality in (90, 70, 50, 30)},
    **{
        f"resize {factor} {kernel}": (resize(factor, kernel),)
        for factor in (0.25, 0.5, 0.75, 1.25, 2.0)
        for kernel in KERNELS
    },
    **{f"resize {factor} and back": (resize(factor, "bicubic", back=True),) for factor in (0.5, 0.75, 2.0)},
    **{f"blur {sigma}": (Step("blur", {"sigma": float(sigma)}),) for sigma in (1, 2, 3)},
    **{f"noise {sigma}": (Step("noise", {"sigma": float(sigma), "seed": 0}),) for sigma in (2, 5, 10)},
    **{f"median {size}": (Step("median", {"size": size}),) for size in (3, 5)},
    **{f"gamma {gamma}": (Step("tone", {"gamma": gamma}),) for gamma in (0.7, 1.4)},
    **{f"contrast {contrast}": (Step("tone", {"contrast": contrast}),) for contrast in (0.75, 1.3)},
    "grey": (Step("grey"),),
    **{f"{bits} bits a colour": (Step("quantise", {"bits": bits}),) for bits in (6, 5, 4)},
    **{
        f"crop to {share} % of the area": (Step("crop", {"share": share / 100}),)
        for share in (90, 75, 50, 25)
    },
    **{f"turned by {angle} degrees": (Step("rotate", {"degrees": float(angle)}),) for angle in (1, 2, 5, 10)},
    "mirrored": (Step("flip", {"axis": "horizontal"}),),
    "turned by a right angle": (Step("turn", {"quarters": 1}),),
    "words and bars over it": (Step("overlay", {"seed": 0}),),
    "caption": (Step("caption", {"share": 0.15, "seed": 0}),),
    **{f"sticker over {share} %": (Step("sticker", {"share": share / 100, "seed": 0}),) for share in (5, 20)},
    "border": (Step("border", {"share": 0.05, "sides": "all", "level": 255}),),
    "letterbox": (Step("border", {"share": 0.15, "sides": "top-bottom", "level": 0}),),
    "collage of 2 x 2": (Step("collage", {"rows": 2, "columns": 2, "seed": 0}),),
    "screenshot": (Step("screenshot", {"seed": 0}),),
    "half the size, JPEG 60": (resize(0.5, "area"), jpeg(60)),
    "a quarter of the size, JPEG 40": (resize(0.25, "area"), jpeg(40)),
    **{f"H.264 at CRF {crf}": (Step("video", {"crf": crf}),) for crf in (18, 23, 28, 34, 40)},
    **{f"H.265 at CRF {crf}": (Step("video", {"crf": crf, "codec": "h265"}),) for crf in (22, 28, 34)},
    **{f"VP9 at CRF {crf}": (Step("video", {"crf": crf, "codec": "vp9"}),) for crf in (20, 35, 50)},
    **{f"as {name}": drawn(chain, 0) for name, chain in PRESETS.items()},
    "half the frames of a clip": (Step("frame_rate", {"factor": 0.5}),),
}
HARMLESS: dict[str, Chain] = {
    **{
        f"saved as JPEG {quality} {sampling}": (jpeg(quality, sampling),)
        for quality in (100, 97, 95, 92, 90)
        for sampling in (SAMPLINGS[0], SAMPLINGS[2])
    },
    "saved as JPEG 95 by opencv": (jpeg(95, encoder="opencv"),),
    "saved as WebP 95": (Step("webp", {"quality": 95}),),
}
