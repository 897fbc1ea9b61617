"""A detector as an attack meets it: pictures go in, how far the verdict is from turning comes out.

What is attacked is what a scan decides: the picture's own logit, through its tiles, held against the
threshold of its size, as a lossless file, which is what an attacked picture is written as.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from detector.scoring import Look
from detector.thresholds import Calibration
from evidence.errors import ModelError
from evidence.medium import Pixels
from exports.registry import ModelEntry
from testsets.likeness import psnr_db


class OutOfQueries(Exception):
    """Raised inside an attack that has asked as often as it may; it ends there with what it has."""


@dataclass(frozen=True, eq=False)
class Target:
    """A detector under attack. `look` is the path of a scan, `calibration` says where "fake" begins.

    `entry` is its file, from which the attacks that know the detector take their gradients; `tiles` is how
    many a scan of one picture looks at.
    """

    name: str
    look: Look
    calibration: Calibration
    entry: ModelEntry | None = None
    tiles: int = 64

    @property
    def sha256(self) -> str:
        """The sum of its file, empty without one."""
        return "" if self.entry is None else self.entry.sha256

    def threshold(self, pixels: Pixels) -> float:
        """The logit from which on a lossless picture of this size is called fake. Raises ModelError."""
        point = self.calibration.at(min(pixels.shape[:2]))
        if not 0 < point.fake_at < 1:
            raise ModelError(
                f"{self.name} calls no picture of {pixels.shape[1]} x {pixels.shape[0]} px fake: its "
                f"threshold is {point.fake_at}.",
                "Calibrate it with more pictures, or attack pictures of another size.",
            )
        return point.temperature * (math.log(point.fake_at / (1 - point.fake_at)) - point.bias)

    def score(self, pixels: Pixels, logit: float) -> float:
        """The calibrated score that a scan shows of this logit."""
        return self.calibration.at(min(pixels.shape[:2])).score(logit)


class Oracle:
    """Answers what an attack asks of one picture, and counts. No question is free, the first included.

    `beyond` is by how many logits the threshold is to be passed before an attack may rest. The best picture
    is the one farthest on that way; with `nearest`, of those with the other verdict the one most like the
    picture.
    """

    def __init__(
        self,
        target: Target,
        pixels: Pixels,
        most: int | None = None,
        *,
        beyond: float = 0.0,
        nearest: bool = False,
    ) -> None:
        self.most, self.queries = most, 0
        self._look, self._beyond, self._nearest, self._pixels = target.look, beyond, nearest, pixels
        self._threshold, self._score = target.threshold(pixels), partial(target.score, pixels)
        logit = self._asked(pixels)
        self.fake = logit >= self._threshold
        self.best, self.gap = pixels, self.gap_of(logit)
        self.before = self._score(logit)

    @property
    def turned(self) -> bool:
        """Whether the best picture so far has the other verdict."""
        return self.gap <= 0

    @property
    def done(self) -> bool:
        """Whether the best picture so far is as far beyond the threshold as was asked."""
        return self.gap <= -self._beyond

    def gap_of(self, logit: float) -> float:
        """How many logits this is short of the other verdict: 0 or less where it has it."""
        if self.fake:
            return logit - math.nextafter(self._threshold, -math.inf)
        return self._threshold - logit

    def score_of(self, gap: float) -> float:
        """The calibrated score at that gap."""
        return self._score(self._threshold + (gap if self.fake else -gap))

    def ask(self, pixels: Pixels) -> float:
        """The gap of a picture. The best one is kept. Raises OutOfQueries."""
        gap = self.gap_of(self._asked(pixels))
        if self._better(pixels, gap):
            self.best, self.gap = pixels.copy(), gap
        return gap

    def charge(self, questions: int = 1) -> None:
        """Count questions that were put to the detector elsewhere. Raises OutOfQueries."""
        if self.most is not None and self.queries + questions > self.most:
            raise OutOfQueries
        self.queries += questions

    def _asked(self, pixels: Pixels) -> float:
        self.charge()
        return float(self._look(pixels).logit)

    def _better(self, pixels: Pixels, gap: float) -> bool:
        if self._nearest and self.turned:
            return gap <= 0 and psnr_db(self._pixels, pixels) > psnr_db(self._pixels, self.best)
        return gap < self.gap
