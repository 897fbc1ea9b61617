"""Evaluation along an injected scorer: tables, worst row first, real and fake accuracy apart."""

from pathlib import Path

import numpy as np
import pytest

from detector.corrupt import Step
from detector.evaluate import Scored, score_entries, tabulate
from detector.readers import Entry, Label, read
from detector.thresholds import Calibration
from evidence.errors import DamagedMedia, DataError
from evidence.medium import Pixels

KNOWING = Calibration(fake_at=0.8, real_below=0.2)


def checker_energy(pixels: Pixels) -> float:
    """How much brighter the black squares of a checkerboard are than the white ones, about 0."""
    parity = np.indices(pixels.shape[:2]).sum(0) % 2
    return float(pixels[parity == 1].mean() - pixels[parity == 0].mean()) - 3.0


def made_up(
    label: Label, logit: float, *, family: str = "", generator: str = "", source: str = "s"
) -> Scored:
    name = f"{label}-{family}-{generator}-{logit}"
    entry = Entry(Path(name), name, label, generator=generator, family=family, source=source, group=name)
    return Scored(entry, logit, 300, 100)


def test_pictures_are_decoded_and_scored_in_order(forge: Path) -> None:
    entries = read(forge, split="test")
    counted: list[int] = []

    scored = score_entries(entries, checker_energy, on_progress=counted.append)

    assert [item.entry for item in scored] == entries
    assert counted == list(range(1, len(entries) + 1))
    assert {(item.short_side, item.quality) for item in scored} == {(144, 100)}
    for item in scored:
        assert (item.logit > 0) == (item.entry.family == "checkered")


def test_a_delivery_is_done_to_every_picture_and_counts_for_its_bucket(forge: Path) -> None:
    delivered = [Step("resize", {"factor": 0.5, "kernel": "area"}), Step("jpeg", {"quality": 75})]

    scored = score_entries(read(forge, split="test")[:2], lambda pixels: pixels.shape[1], delivered=delivered)

    assert [(item.logit, item.short_side, item.quality) for item in scored] == [(76.0, 72, 75)] * 2


def test_the_worst_generator_stands_first(forge: Path) -> None:
    found = tabulate(score_entries(read(forge), checker_energy), KNOWING, draws=20)

    assert [row.name for row in found.rows] == ["striped", "checkered"]
    assert found.rows[1].auc == 1.0
    assert found.rows[1].real_accuracy == found.rows[1].fake_accuracy == 1.0
    assert found.rows[0].fake_accuracy == 0.0
    assert found.mean_auc == pytest.approx((found.rows[0].auc + 1) / 2)
    assert found.pooled.reals == 12
    assert found.pooled.fakes == 24


def test_false_alarms_are_counted_source_by_source() -> None:
    scored = [made_up("real", logit, source="calm") for logit in (-5.0, -4.0, -3.0, -2.0)]
    scored += [made_up("real", logit, source="loud") for logit in (-5.0, 3.0)]
    scored += [made_up("fake", 4.0, family="x"), made_up("fake", 5.0, family="x")]

    found = tabulate(scored, KNOWING, draws=20)

    assert [(row.source, row.false_alarms, row.false_alarm_rate) for row in found.sources] == [
        ("loud", 1, 0.5),
        ("calm", 0, 0.0),
    ]
    assert found.pooled.real_accuracy == pytest.approx(5 / 6)
    assert found.to_dict()["sources"][0]["source"] == "loud"


def test_a_generator_with_reals_of_its_own_is_judged_against_them() -> None:
    scored = [made_up("real", 2.0, generator="gan"), made_up("real", -9.0)]
    scored += [made_up("fake", 1.0, generator="gan"), made_up("fake", 1.5, generator="other")]

    rows = {row.name: row for row in tabulate(scored, KNOWING, draws=5).rows}

    assert (rows["gan"].reals, rows["gan"].auc) == (1, 0.0)
    assert (rows["other"].reals, rows["other"].auc) == (2, 0.5)


def test_one_class_alone_cannot_be_evaluated() -> None:
    with pytest.raises(DataError, match="1 real and 0 fake"):
        tabulate([made_up("real", 0.0)], KNOWING)


def test_a_broken_picture_is_handed_over_and_the_rest_is_scored(forge: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    good = read(forge, split="test")[:2]
    broken = Entry(tmp_path / "broken.png", "broken.png", "real")
    failed: list[tuple[Entry, str]] = []

    scored = score_entries(
        [good[0], broken, good[1]], checker_energy, on_failed=lambda entry, e: failed.append((entry, e.code))
    )

    assert [item.entry for item in scored] == good
    assert failed == [(broken, "damaged")]
    with pytest.raises(DamagedMedia):
        score_entries([broken], checker_energy)
