"""Side by side: the same pictures before every detector, the worst line first, and where each was wrong."""

from pathlib import Path

import pytest

from detector.compare import Judged, compare
from detector.entries import Entry, Label
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.errors import DataError

STRICT = Calibration(fake_at=0.8, real_below=0.2)


def item(number: int, label: Label, logit: float, **about: str) -> Scored:
    return Scored(Entry(Path("x"), f"{label}{number}", label, group=f"g{number}", **about), logit, 300, 100)


def collection(blind_to: str = "", broken_by: str = "") -> list[Scored]:
    """Reals and the fakes of two families, half of them screenshots, and attacked fakes; one is missed."""
    found = []
    for n in range(8):
        way = "screenshot" if n % 2 else ""
        found.append(item(n, "real", -4.0, treatment=way))
        family = "gan" if n < 4 else "vae"
        missed = family == blind_to or (way and way == broken_by)
        found.append(item(n + 10, "fake", -5.0 if missed else 4.0, family=family, treatment=way))
        found.append(item(n + 20, "fake", -3.0, family=family, treatment=way, attack="square:eps=3"))
    return found


def test_each_detector_is_broken_by_what_it_is_blind_to() -> None:
    found = compare(
        {
            "A": Judged(collection(blind_to="vae"), STRICT),
            "B": Judged(collection(broken_by="screenshot"), STRICT),
        },
        draws=20,
    )

    vae, gan = found.of("family")
    assert (vae.name, vae.reals, vae.fakes) == ("vae", 8, 4)
    assert (vae.standings[0].auc, vae.standings[0].caught) == (0.0, 0.0)
    assert vae.standings[1].caught == 0.5
    assert gan.standings[0].caught == 1.0
    screenshot, plain = found.of("delivery")
    assert (screenshot.name, plain.name) == ("screenshot", "as it is")
    assert screenshot.standings[1].caught == 0.0
    assert plain.standings[1].caught == 1.0
    assert all(standing.alarms == 0 for line in found.lines for standing in line.standings)


def test_an_attack_on_fakes_alone_stands_against_the_reals_that_nobody_touched() -> None:
    found = compare({"A": Judged(collection(), STRICT)}, draws=20)

    (attack,) = found.of("attack")
    assert (attack.name, attack.reals, attack.fakes) == ("square:eps=3", 8, 8)
    assert attack.standings[0].auc == 1.0  # -3 is above -4, and yet below the threshold
    assert attack.standings[0].caught == 0.0
    assert all(line.standings[0].caught == 1.0 for line in found.of("family"))


def test_the_examples_are_those_of_which_a_detector_was_surest_each_in_turn() -> None:
    one = [item(0, "real", -4.0), item(1, "fake", 4.0), item(2, "fake", -9.0), item(3, "fake", -2.0)]
    other = [item(0, "real", 4.0), item(1, "fake", -1.0), item(2, "fake", 5.0), item(3, "fake", 5.0)]

    found = compare({"A": Judged(one, STRICT), "B": Judged(other, STRICT)}, draws=5)

    shown = [(example.key, example.detector) for example in found.pooled.examples]
    assert shown == [("fake2", "A"), ("real0", "B"), ("fake1", "B"), ("fake3", "A")]


def test_only_pictures_that_all_could_read_are_compared() -> None:
    whole = collection()

    found = compare({"A": Judged(whole, STRICT), "B": Judged(whole[3:], STRICT)}, draws=5)

    assert found.pooled.reals == 7
    with pytest.raises(DataError, match="not of both classes"):
        compare({"A": Judged(whole, STRICT), "B": Judged(whole[:1], STRICT)}, draws=5)
