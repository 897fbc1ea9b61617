"""What the naming of families is worth, counted on forgeries whose families are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.attribution import FamilyReading
from detector.entries import Entry
from detector.naming import naming
from detector.scoring import Scored

READING = FamilyReading(("haar", "vae"), known_at=0.9, n=60)


def forged(
    family: str, families: tuple[float, ...] | None, *, kind: str = "reconstruction", generator: str = ""
) -> Scored:
    name = f"{family}{generator}{kind}{families}"
    entry = Entry(Path(name), name, "fake", family=family, generator=generator, kind=kind, group=name)
    return Scored(entry, 3.0, 300, 100, families=families)


def test_right_wrong_and_unknown_makers_are_counted() -> None:
    scored = [
        forged("haar", (5.0, 0.0)),
        forged("haar", (4.0, 0.0)),
        forged("vae", (1.0, 0.0)),
        forged("strange", (0.1, 0.0)),
        forged("", (6.0, 0.0), generator="midjourney"),
    ]

    found = naming(scored, READING, draws=20)

    assert found is not None
    assert (found.known, found.unknown) == (3, 2)
    assert found.top_1 == pytest.approx(2 / 3)
    assert found.unknown_auroc == pytest.approx(3 / 6)
    assert found.named == pytest.approx(3 / 5)
    assert found.right_of_named == pytest.approx(2 / 3)
    assert found.families == (("vae", 1, 0.0), ("haar", 2, 1.0))


def test_photographs_put_together_have_no_maker_to_name() -> None:
    scored = [forged("splice", (5.0, 0.0), kind="splice"), forged("vae", (0.0, 5.0))]

    found = naming(scored, READING, draws=5)

    assert found is not None
    assert (found.known, found.unknown, found.top_1) == (1, 0, 1.0)


def test_a_detector_that_tells_no_families_has_no_table() -> None:
    assert naming([forged("vae", None)], READING) is None
    assert naming([forged("vae", (0.0, 5.0))], None) is None
