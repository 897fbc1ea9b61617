"""Does a verdict survive what happens to pictures on their way: re-encoding, a resize, a crop?

A few tiles are changed and scored again. One rule decides when, from the medium and the model alone,
so that a picture gets the same answer alone, in a folder and from a queue: whenever the picture is
not clearly real.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import cv2
import numpy as np

from detector.aggregate import image_logit
from detector.scores import Scores
from detector.thresholds import Calibration
from detector.tiles import Tile, cut, plan
from evidence.medium import Pixels
from worker.findings import Trial

MOST_TILES = 4
SHIFT = 4  # pixels: half a JPEG block, the worst a crop can do to the block grid


def worth_retelling(calibration: Calibration, logit: float, spread: float) -> bool:
    """Whether the verdict could be other than `real`: the upper end of its interval is not below it."""
    return calibration.interval(logit, spread)[1] >= calibration.real_below


def retell(
    pixels: Pixels, tiles: Sequence[Tile], scores: Scores, *, logit: float, part_margin: float
) -> Generator[Pixels, Scores, tuple[Trial, ...]]:
    """Score changed copies of at most `MOST_TILES` of a picture's tiles; yields uint8 (n, h, w, 3).

    A medium of few tiles is rescored whole. Of a larger one the shift that the change makes in these
    tiles is added to the medium's logit.
    """
    picked = _pick(scores)
    chosen = cut(pixels, [tiles[index] for index in picked])
    before = image_logit(scores.logits[picked], scores.maps[picked], part_margin=part_margin)
    trials = []
    for shape in _by_shape(chosen):
        names, pictures = zip(*shape, strict=True)
        answer = yield np.concatenate(pictures)
        starts = np.cumsum([0, *(len(picture) for picture in pictures)])
        for name, first, last in zip(names, starts, starts[1:], strict=False):
            part = slice(int(first), int(last))
            after = image_logit(answer.logits[part], answer.maps[part], part_margin=part_margin)
            trials.append(Trial(name, logit + after - before))
    return tuple(sorted(trials, key=lambda trial: list(CHANGES).index(trial.name)))


def _jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    return lambda picture: _recode(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def _webp(quality: int) -> Callable[[Pixels], Pixels]:
    return lambda picture: _recode(picture, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def _smaller(picture: Pixels) -> Pixels:
    size = (round(picture.shape[1] * 0.9), round(picture.shape[0] * 0.9))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shifted(picture: Pixels) -> Pixels:
    return picture[SHIFT:, SHIFT:]


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "JPEG quality 90": _jpeg(90),
    "JPEG quality 75": _jpeg(75),
    "WebP quality 80": _webp(80),
    "resize to 90 %": _smaller,
    f"crop of {SHIFT} pixels": _shifted,
}


def _pick(scores: Scores) -> list[int]:
    """Every tile of a few; of more, the two that read most as fake and the rest spread evenly."""
    count = len(scores.logits)
    if count <= MOST_TILES:
        return list(range(count))
    top = [int(index) for index in np.argsort(-scores.logits, kind="stable")[:2]]
    rest = [index for index in range(count) if index not in top]
    spread = np.linspace(0, len(rest) - 1, MOST_TILES - len(top)).round().astype(int)
    return sorted([*top, *(rest[index] for index in spread)])


def _by_shape(tiles: Pixels) -> list[list[tuple[str, Pixels]]]:
    """The changed tiles of every change, grouped by their shape so that few calls score them all."""
    groups: dict[tuple[int, ...], list[tuple[str, Pixels]]] = {}
    for name, change in CHANGES.items():
        changed = np.concatenate([_tiles_of(change(tile)) for tile in tiles])
        groups.setdefault(changed.shape[1:], []).append((name, changed))
    return list(groups.values())


def _tiles_of(picture: Pixels) -> Pixels:
    return cut(picture, plan(*picture.shape[:2]))


def _recode(picture: Pixels, suffix: str, options: list[int]) -> Pixels:
    """The picture written and read again; our own bytes, so no sandbox is needed."""
    _, data = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)
