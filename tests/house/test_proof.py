"""The proof's figures are those of the pictures that were read, and its page says what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import proof_page
from benchmarks.standings import gain, standing, unseen
from detector.entries import Entry
from detector.scoring import Scored
from detector.thresholds import Calibration


def scored(logits: dict[str, list[float]]) -> list[Scored]:
    """A picture for each logit, of the family that it stands under; `real` is none."""
    return [
        Scored(
            Entry(
                Path(f"{family}-{number}"),
                f"{family}-{number}",
                "real" if family == "real" else "fake",
                family="" if family == "real" else family,
                group=str(number),
                treatment="grain" if number == 0 else "",
            ),
            logit,
            256,
            90,
        )
        for family, own in logits.items()
        for number, logit in enumerate(own)
    ]


def test_a_standing_has_the_worst_family_first_and_counts_alarms_on_hard_reals() -> None:
    reals = [5.0, -1.0, -2.0, -3.0]
    found = standing(scored({"real": reals, "haar": [6.0] * 4, "vq": [-2.5] * 4}), Calibration())

    assert [(row["name"], row["auc"]) for row in found["families"]] == [("vq", 0.25), ("haar", 1.0)]
    assert found["mean_auc"] == 0.625
    assert (found["hard"]["reals"], found["hard"]["alarms"]) == (1, 1)  # sigmoid(5) is above 0.9
    assert found["pooled"]["real_accuracy"] == 0.75


def test_the_gain_is_between_each_ones_own_worst_family() -> None:
    reals = [0.0] * 8
    ours = scored({"real": reals, "haar": [1.0] * 8, "vq": [1.0] * 8})
    other = scored({"real": reals, "haar": [0.0] * 8, "vq": [1.0] * 8})

    found = gain(ours, other)

    assert found["worst"] == {"gain": 0.5, "interval": [0.5, 0.5]}
    assert found["mean"] == {"gain": 0.25, "interval": [0.25, 0.25]}


def test_unseen_families_begin_with_the_worst_and_stand_beside_what_was_seen() -> None:
    folds = {"fold 1": [{"name": "haar", "auc": 0.9}], "fold 2": [{"name": "vq", "auc": 0.7}]}

    found = unseen(folds, [{"name": "haar", "auc": 0.95}])

    assert [(row["name"], row["fold"], row["seen_auc"]) for row in found] == [
        ("vq", "fold 2", None),
        ("haar", "fold 1", 0.95),
    ]


def row(name: str, worst: float, mean: float, crops: int = 960) -> dict[str, Any]:
    family = {
        "name": "vq",
        "auc": worst,
        "auc_interval": [0.1, 0.9],
        "tpr_at_1_percent": 0.5,
        "real_accuracy": 0.99,
        "fake_accuracy": 0.5,
    }
    hard = {"reals": 10, "alarms": 1, "interval": [0.0, 0.4]}
    found = {"pooled": family, "mean_auc": mean, "families": [family], "hard": hard}
    return {
        "name": name,
        "words": "what it is",
        "crops": crops,
        "deliveries": {"as delivered": found},
        "uncalibrated": "",
    }


def test_the_page_in_docs_is_that_of_its_figures() -> None:
    docs = Path(proof_page.__file__).parent.parent / "docs"
    results = json.loads((docs / proof_page.FIGURES).read_text(encoding="utf-8"))

    assert (docs / proof_page.PAGE).read_text(encoding="utf-8") == proof_page.text(results)


def test_the_page_begins_with_the_worst_and_names_who_beats_ours_and_what_is_missed() -> None:
    results = {
        "crops": 960,
        "share": 0.3,
        "pictures": {"cal": 10, "test": 20},
        "held_out": ["vq"],
        "rows": [
            row("touchstone-detector@9", 0.99, 0.99, crops=10**6),
            row("ours", 0.7, 0.8),
            row("no alignment", 0.65, 0.7),
            row("npr", 0.6, 0.85),
        ],
        "gains": {
            "no alignment": {
                "worst": {"gain": 0.05, "interval": [0.01, 0.09]},
                "mean": {"gain": 0.1, "interval": [0.05, 0.15]},
            }
        },
        "fold_count": 4,
        "folds": {},
        "unseen": [],
        "short_cuts": [{"name": "size", "auc": 0.5, "interval": [0.4, 0.6], "advisory": False}],
    }

    page = proof_page.text(results)

    table = page.partition("### As delivered")[2]
    order = [table.index(f"| {name} |") for name in ("npr", "no alignment", "ours", "touchstone-detector@9")]
    assert order == sorted(order)
    assert "the goal of +0.10 is missed" in page
    assert "- npr, as delivered: mean AUC 0.850 against 0.800\n" in page
    assert "touchstone-detector@9, as delivered" not in page  # it had more crops
    assert "| size | 0.500 | 0.400 to 0.600 |" in page
