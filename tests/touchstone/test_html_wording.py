"""The sentences a person may quote say what was measured, and no more."""

from __future__ import annotations

import pytest

from evidence.verdict import Report, Segment, Stability, Threshold, Verdict
from touchstone.report import wording

THRESHOLD = Threshold("pooled", 0.9, 0.0098, "held-out photographs", 1204)


def _report(verdict: Verdict, probability: float, **fields: object) -> Report:
    media = {"path": "a", "kind": "video"}
    given = {"verdict": verdict, "fake_probability": probability, "threshold": THRESHOLD} | fields
    return Report("a", media, "ok", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.0, 0, "0 %"),
        (0.001, 0, "under 1 %"),
        (0.0149, 0, "1 %"),
        (0.991, 0, "99 %"),
        (0.998, 0, "over 99 %"),
        (1.0, 0, "100 %"),
        (0.0098, 1, "1.0 %"),
        (0.0003, 1, "under 0.1 %"),
        (0.99991, 1, "over 99.9 %"),
    ],
)
def test_a_share_is_never_rounded_into_certainty(value: float, digits: int, text: str) -> None:
    assert wording.percent(value, digits).replace(wording.NBSP, " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.0"), (4.04, "0:04.0"), (59.96, "1:00.0"), (3723.5, "1:02:03.5")]
)
def test_a_time_stamp_reads_as_on_a_player(seconds: float, text: str) -> None:
    assert wording.clock(seconds) == text


def test_a_fake_verdict_states_chance_interval_place_and_false_alarms() -> None:
    report = _report("fake", 0.974, interval=(0.93, 0.991), segments=(Segment(4.0, 7.0, 0.97),))

    assert wording.quotable(report).replace(wording.NBSP, " ") == (
        "Touchstone finds that this video was generated or altered by a machine: probability of forgery 97 % "
        "(95 % interval 93 % to 99 %). The part that reads as forged: 0:04.0 to 0:07.0. At this "
        "threshold 1.0 % of genuine media are wrongly called "
        "fake (measured on held-out photographs; n = 1,204)."
    )


def test_bounds_that_read_alike_are_said_once() -> None:
    assert wording.between((0.9981, 0.9999)).replace(wording.NBSP, " ") == "over 99 %"
    assert wording.between((0.2, 0.4)).replace(wording.NBSP, " ") == "20 % to 40 %"


def test_a_real_verdict_claims_no_authenticity() -> None:
    report = _report("real", 0.02)

    assert "no sign" in wording.quotable(report)
    assert "does not prove that the video is authentic" in wording.caution(report)


def test_an_uncertain_verdict_says_it_cannot_tell() -> None:
    assert wording.quotable(_report("uncertain", 0.6)).startswith("Touchstone cannot tell")


def test_an_uncalibrated_detector_says_so() -> None:
    report = _report("fake", 0.97, threshold=Threshold("pooled", 0.9, 1.0, "nothing", 0))

    assert "was not measured" in wording.quotable(report)


def test_a_flipped_verdict_names_what_flipped_it() -> None:
    report = _report("fake", 0.97, stability=Stability(5, 6, ("jpeg q50",)))

    assert wording.stability(report) == "The verdict held in 5 of 6 re-encodings; it changed after: jpeg q50."


def test_a_name_that_hides_its_ending_is_spelled_out() -> None:
    assert wording.visible("invoice\u202egpj.exe") == r"invoice\u202egpj.exe"
    assert wording.visible("line\nbreak\x00 café \udcff") == r"line\nbreak\x00 café \udcff"
