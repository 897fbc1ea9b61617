"""Evaluation along an injected scorer: tables, worst row first, real and fake accuracy apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.aggregate import video_logit
from detector.attribution import FamilyReading
from detector.corrupt import Step
from detector.evaluate import tabulate
from detector.readers import Entry, Label, read
from detector.scoring import Scored, Scorer, Seen
from detector.thresholds import Calibration
from evidence.errors import DamagedMedia, DataError
from evidence.medium import Pixels

KNOWING = Calibration(fake_at=0.8, real_below=0.2)


def checker_energy(pixels: Pixels) -> float:
    """How much brighter the black squares of a checkerboard are than the white ones, about 0."""
    parity = np.indices(pixels.shape[:2]).sum(0) % 2
    return float(pixels[parity == 1].mean() - pixels[parity == 0].mean()) - 3.0


def seen(logit: float, pixels: Pixels) -> Seen:
    """The same logit in every cell."""
    return Seen(logit, np.full((pixels.shape[0] // 8, pixels.shape[1] // 8), logit))


def look(pixels: Pixels) -> Seen:
    return seen(checker_energy(pixels), pixels)


SCORER = Scorer(look, KNOWING)


def made_up(
    label: Label, logit: float, *, family: str = "", generator: str = "", source: str = "s"
) -> Scored:
    name = f"{label}-{family}-{generator}-{logit}"
    entry = Entry(Path(name), name, label, generator=generator, family=family, source=source, group=name)
    return Scored(entry, logit, 300, 100)


def test_pictures_are_decoded_and_scored_in_order(forge: Path) -> None:
    entries = read(forge, split="test")
    counted: list[int] = []

    scored = list(SCORER.score(entries, on_progress=counted.append))

    assert [item.entry for item in scored] == entries
    assert counted == list(range(1, len(entries) + 1))
    assert {(item.short_side, item.quality) for item in scored} == {(144, 100)}
    for item in scored:
        assert (item.logit > 0) == (item.entry.family == "checkered")


def test_a_delivery_is_done_to_every_picture_and_counts_for_its_bucket(forge: Path) -> None:
    delivered = [Step("resize", {"factor": 0.5, "kernel": "area"}), Step("jpeg", {"quality": 75})]

    scored = list(
        Scorer(lambda pixels: seen(pixels.shape[1], pixels), KNOWING).score(
            read(forge, split="test")[:2], delivered=delivered
        )
    )

    assert [(item.logit, item.short_side, item.quality) for item in scored] == [(76.0, 72, 75)] * 2


def test_the_worst_generator_stands_first(forge: Path) -> None:
    found = tabulate(list(SCORER.score(read(forge))), KNOWING, draws=20)

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

    scored = list(
        SCORER.score([good[0], broken, good[1]], on_failed=lambda entry, e: failed.append((entry, e.code)))
    )

    assert [item.entry for item in scored] == good
    assert failed == [(broken, "damaged")]
    with pytest.raises(DamagedMedia):
        list(SCORER.score([broken]))


def test_fakes_meet_the_reals_of_their_pool(forge: Path) -> None:
    def item(label: Label, logit: float, pool: str) -> Scored:
        made = made_up(label, logit, generator="adm" if label == "fake" else "")
        return replace(made, entry=replace(made.entry, pool=pool))

    scored = [item("real", 1.0, "bedroom"), item("real", 9.0, "faces"), item("fake", 2.0, "bedroom")]

    (row,) = tabulate(scored, KNOWING, draws=5).rows

    assert (row.reals, row.auc) == (1, 1.0)


def test_reversed_labels_are_named_as_the_likely_reason(forge: Path) -> None:
    rng = np.random.default_rng(0)
    scored = [made_up("real", x, generator="g") for x in rng.normal(2, 1, 40)]
    scored += [made_up("fake", x, generator="g") for x in rng.normal(-2, 1, 40)]

    found = tabulate(scored, KNOWING, draws=50)

    assert len(found.remarks) == 2
    assert all("labels are reversed" in remark for remark in found.remarks)


def test_halves_that_are_missing_are_said(forge: Path) -> None:
    scored = [made_up("real", 0, generator=name) for name in ("whole", "crn")]
    scored += [made_up("fake", 1, generator=name) for name in ("whole", "san")]

    remarks = tabulate(scored, KNOWING, draws=5).remarks

    assert any("san has no reals of its own" in remark for remark in remarks)
    assert any("crn has reals and no fakes" in remark for remark in remarks)


def test_the_map_is_held_against_the_mask(forge: Path) -> None:
    """A map that is hot on the left half alone, as the one partial forgery is."""

    def left(pixels: Pixels) -> Seen:
        grid = np.full((pixels.shape[0] // 8, pixels.shape[1] // 8), -9.0)
        grid[:, :9] = 9.0
        return Seen(1.0, grid)

    entries = [entry for entry in read(forge) if entry.key in ("real/0.png", "fake/striped/0.png")]
    scored = list(Scorer(left, KNOWING).score(entries))
    found = tabulate(scored, KNOWING, draws=5)

    # The mask covers 76 of 152 columns, the map the first 72 of them.
    hit = 2 * 72 / (72 + 76)
    (row,) = found.rows
    assert row.pixels is not None
    assert row.pixels.f1 == pytest.approx(hit)
    assert row.pixels.auc == pytest.approx((72 + 4 / 2) / 76)
    assert found.marked_reals == 1.0


def test_frames_are_judged_together_as_the_video_they_are_of() -> None:
    scored = []
    for label, video, logits in (("real", "a", (0.0, 3.0)), ("fake", "b", (1.0, 4.0))):
        for logit in logits:
            made = made_up("real" if label == "real" else "fake", logit)
            scored.append(replace(made, entry=replace(made.entry, video=video)))

    row = tabulate(scored, KNOWING, draws=5).pooled

    assert (row.auc, row.video_auc) == (0.75, 1.0)


def test_a_video_is_scored_over_its_frames(clip: Path) -> None:
    entry = Entry(clip, "a.mp4", "fake")

    (scored,) = Scorer(lambda pixels: seen(2.0, pixels), KNOWING).score([entry])

    assert scored.short_side is None
    assert scored.logit == pytest.approx(video_logit([2.0] * 5, np.arange(5.0)))


def test_what_a_detector_says_of_the_makers_is_held_against_the_table(forge: Path) -> None:
    entry = read(forge, split="test")[0]
    reading = FamilyReading(("checkered", "striped"), known_at=0.5, n=60)

    def told(pixels: Pixels) -> Seen:
        return look(pixels)._replace(families=np.array([4.0, 0.0]))

    (scored,) = Scorer(told, KNOWING).score([replace(entry, label="fake", family="checkered")])
    found = tabulate([scored, made_up("real", -5.0)], replace(KNOWING, families=reading), draws=5)

    assert scored.families == (4.0, 0.0)
    assert found.naming is not None
    assert found.naming.top_1 == 1.0
