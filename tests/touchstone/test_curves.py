"""The curves of a card, at the points that are known without drawing them."""

import numpy as np

from touchstone.report.curves import curves


def test_a_perfect_detector_runs_along_the_edges() -> None:
    labels = np.array([0.0, 0.0, 1.0, 1.0])

    roc, _, reliability, risk = curves(labels, np.array([-2.0, -1.0, 1.0, 2.0]), labels)

    # Nothing but hits up to the upper left corner, then nothing but false alarms.
    assert roc.line == "M0.00 100.00H0.00V50.00H0.00V0.00H89.97V0.00H100.00V0.00"
    assert reliability.line == "M0.00 100.00L100.00 0.00"
    assert risk.line.count("100.00") == 5  # no error at any of four coverages, the last of which is 100 %


def test_chance_lies_on_the_line_of_equal_errors() -> None:
    _, det, _, _ = curves(np.array([0.0, 1.0]), np.zeros(2), np.full(2, 0.5))

    first, last = det.line.removeprefix("M").split("L")
    assert (first, last) == ("0.00 0.00", "100.00 100.00")
