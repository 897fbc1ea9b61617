"""Batches across media: the same answers in the same order, in fewer calls, whoever comes late or fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from detector.scores import Scores
from evidence.errors import DamagedMedia, MediaError, ModelError
from evidence.medium import Pixels
from tests.doubles import MediumOf, colour
from tests.tiny_detector import CALIBRATION, picture
from worker.batching import run
from worker.findings import Findings
from worker.scan import Examination, Lens, Medium, examine


class Given:
    """A source of media; those whose place is in `late` are not ready when first asked for."""

    def __init__(self, media: Sequence[Medium | MediaError], late: Sequence[int] = ()) -> None:
        self._media = list(media)
        self._late = set(late)
        self._place = 0

    def take(self, wait: bool) -> tuple[int, Examination | MediaError] | None:
        if self._place == len(self._media):
            return None
        if self._place in self._late and not wait:
            self._late.discard(self._place)
            return None
        medium = self._media[self._place]
        self._place += 1
        if isinstance(medium, MediaError):
            return self._place - 1, medium
        return self._place - 1, examine(medium, Lens(CALIBRATION))


class Counting:
    """The colour detector, counting its calls and the tiles in each."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, tiles: Pixels) -> Scores:
        self.calls.append(len(tiles))
        return colour(tiles)


def reds(*leans: float, size: int = 64) -> list[Medium]:
    return [MediumOf([picture(size, size, lean=lean, seed=i)]) for i, lean in enumerate(leans)]


def test_small_pictures_share_calls_and_come_out_in_order() -> None:
    detect = Counting()
    leans = [-4 - i / 10 for i in range(40)]

    outcomes = list(run(Given(reds(*leans)), detect, batch=16, window=32))

    assert [outcome.key for outcome in outcomes] == list(range(40))
    assert detect.calls == [16, 16, 8]
    logits = [outcome.result.logit for outcome in outcomes if isinstance(outcome.result, Findings)]
    assert logits == sorted(logits, reverse=True)


def test_findings_do_not_depend_on_who_shares_the_batch() -> None:
    leans = [5, -5, 0, 3, -1]
    together = list(run(Given(reds(*leans)), colour, batch=16))

    for medium, outcome in zip(reds(*leans), together, strict=True):
        (alone,) = run(Given([medium]), colour, batch=16)
        assert isinstance(alone.result, Findings)
        assert isinstance(outcome.result, Findings)
        assert alone.result.logit == outcome.result.logit
        assert alone.result.trials == outcome.result.trials


def test_one_that_fails_does_not_stop_the_others() -> None:
    broken = MediumOf([picture(64, 64, lean=1)], kind="video", error=DamagedMedia("torn"))
    media = [*reds(-5), DamagedMedia("unopened"), broken, *reds(-5)]

    results = [outcome.result for outcome in run(Given(media), colour)]

    assert [type(result).__name__ for result in results] == [
        "Findings", "DamagedMedia", "DamagedMedia", "Findings"
    ]  # fmt: skip
    assert str(results[2]) == "torn"


def test_what_waits_is_scored_when_the_next_medium_is_late() -> None:
    detect = Counting()

    outcomes = list(run(Given(reds(*[-5] * 6), late=[2, 4]), detect, batch=16))

    assert len(outcomes) == 6
    assert detect.calls == [2, 2, 2]


def test_no_more_media_are_under_way_than_the_window_holds() -> None:
    source = Given(reds(*[-5] * 10))
    outcomes = run(source, colour, batch=1000, window=3)

    next(outcomes)

    assert source._place <= 4


def test_shapes_are_scored_apart_and_all_come_through() -> None:
    detect = Counting()
    media = [m for i in range(6) for m in reds(-5, size=64 if i % 2 else 128)]

    outcomes = list(run(Given(media), detect, batch=16))

    assert sorted(detect.calls) == [3, 3]
    assert [outcome.key for outcome in outcomes] == list(range(6))


def test_the_time_of_a_shared_call_is_shared() -> None:
    outcomes = list(run(Given(reds(-5, -5)), colour))

    assert outcomes[0].timings["detect_ms"] == pytest.approx(outcomes[1].timings["detect_ms"])
    assert outcomes[0].timings["look_ms"] > 0


def test_a_detector_that_breaks_stops_the_run() -> None:
    def breaks(tiles: Pixels) -> Scores:
        raise ModelError("It cannot.")

    with pytest.raises(ModelError):
        list(run(Given(reds(-5)), breaks))
