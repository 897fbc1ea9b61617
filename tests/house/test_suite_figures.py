"""The table of what the suite reaches: from verdicts and benchmarks, with what nobody measured said so."""

from __future__ import annotations

from benchmarks.figures import UNMEASURED
from benchmarks.spectra import represented
from benchmarks.suite import render


def test_the_catalogue_holds_the_operators_that_a_detector_has_to_meet() -> None:
    found = represented()

    assert len(found["upsampler"]) >= 8
    assert len(found["normalisation"]) >= 4
    assert len(found["loss"]) >= 5


def test_the_table_of_the_suite_says_what_was_measured_and_what_was_not() -> None:
    verdicts = {
        "vanilla-mnist": {"inception_score": 9.125},
        "acgan-mnist": {"inception_score": 9.9, "class_accuracy": 0.5},
    }
    rates = [
        {"model": "small", "height": 32, "width": 32, "per_second": 1.0},
        {"model": "quick", "height": 64, "width": 64, "per_second": 300.0},
        {"model": "slow", "height": 64, "width": 128, "per_second": 70.4},
    ]

    rows = list(render(verdicts, {"generators": {"rates": rates}}))

    def row_of(what: str) -> str:
        return next(row for row in rows if what in row)

    assert "| 9.12 (vanilla-mnist) |" in row_of("Inception score")
    assert "| 0.5 (acgan-mnist) |" in row_of("class of cGAN")
    assert "| 70 (slow, the slowest) |" in row_of("pictures a second")
    assert f"| {UNMEASURED} |" in row_of("stacked digits")
