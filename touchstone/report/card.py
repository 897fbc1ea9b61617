"""The cards of an evaluation and of a data set: one HTML file that loads nothing, JSON beside the first.

They are functions of the scores alone: no date, no path of this machine, so a rerun gives the same bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from detector.evaluate import Evaluation, scores_of
from detector.lint import LintReport
from detector.robustness import Robustness
from detector.scoring import Scored
from detector.thresholds import Calibration
from evidence.files import write_whole
from touchstone.report.article import FOLDER, environment
from touchstone.report.curves import curves

SCHEMA = "touchstone.evaluation/1"

# What is in two places at once: where the report has it, what it is, how to mend it.
DOUBLES = (
    (
        "duplicates_across_splits",
        "Files with the same bytes in two splits",
        "Keep each in one split: a detector that has seen it in training is judged by its memory.",
    ),
    (
        "lookalikes_across_splits",
        "Pictures that look the same in two splits",
        "Keep each picture and its copies in one split, re-encoded and resized ones too.",
    ),
    ("groups_across_splits", "Groups in two splits", "Split by source picture, person or video."),
    (
        "duplicates_across_labels",
        "Files with the same bytes under both labels",
        "One of the labels is wrong: correct it.",
    ),
    (
        "labels_contradicted",
        "Labels that say the opposite of the folder",
        "The labels are probably reversed: turn them round in the table.",
    ),
)


def card_json(found: Evaluation, about: Mapping[str, Any], robustness: Robustness | None = None) -> str:
    """The tables as JSON text; null where there is no number."""
    whole = {"schema": SCHEMA, **about, **found.to_dict()}
    if robustness is not None:
        whole["robustness"] = robustness.to_dict()
    return json.dumps(finite(whole), indent=2, allow_nan=False)


def write_card(
    path: Path,
    found: Evaluation,
    scored: Sequence[Scored],
    calibration: Calibration,
    about: Mapping[str, Any],
    robustness: Robustness | None = None,
) -> None:
    """Write `path` as HTML, and the JSON beside it under its name. Raises OutputError."""
    labels, logits, scores, _ = scores_of(scored, calibration)
    page = (
        environment()
        .get_template("card.html")
        .render(
            found=found,
            robustness=robustness,
            about={"schema": SCHEMA, **about},
            calibration=calibration,
            curves=curves(labels, logits, scores),
            style=style(),
        )
    )
    write_whole(path, page.encode("utf-8", "backslashreplace"))
    write_whole(
        path.with_suffix(".json"), (card_json(found, about, robustness) + "\n").encode("utf-8", "replace")
    )


def write_lint(path: Path, report: LintReport, *, limit: float, dataset: str) -> None:
    """Write the findings of the linter as HTML. Raises OutputError."""
    write_whole(path, lint_page(report, limit=limit, dataset=dataset).encode("utf-8", "backslashreplace"))


def lint_page(report: LintReport, *, limit: float, dataset: str) -> str:
    """The findings of the linter as one page of HTML."""
    return (
        environment()
        .get_template("lint.html")
        .render(
            report=report,
            doubles=[(name, mend, getattr(report, part)) for part, name, mend in DOUBLES],
            limit=limit,
            dataset=dataset,
            style=style(),
        )
    )


def style() -> Markup:
    """What every card looks like."""
    return Markup("".join((FOLDER / name).read_text("utf-8") for name in ("report.css", "card.css")))


def finite(part: Any) -> Any:
    """The same with null for what is no number, as JSON has it."""
    if isinstance(part, dict):
        return {key: finite(value) for key, value in part.items()}
    if isinstance(part, (list, tuple)):
        return [finite(value) for value in part]
    return None if isinstance(part, float) and not math.isfinite(part) else part
