"""A report as plain JSON types."""

from __future__ import annotations

import json
from dataclasses import asdict

from evidence.verdict import (
    SCHEMA,
    Attribution,
    Finding,
    ModelUse,
    Reason,
    Region,
    Report,
    Segment,
    Threshold,
    TimelinePoint,
)

FULL = Report(
    id="a1",
    media={"path": "a.mp4", "jpeg": {"quality": 80}},
    status="ok",
    reason=Reason("unstable", "It flips."),
    verdict="uncertain",
    fake_probability=0.5,
    interval=(0.4, 0.6),
    threshold=Threshold("all", 0.9, 0.01, "photographs", 100),
    regions=(Region((0, 0, 8, 8), "face", 0.7),),
    heatmap=((0.1, None), (0.2, 0.3)),
    mask_area=0.25,
    timeline=(TimelinePoint(0.0, 0, 0.5), TimelinePoint(0.5, 15, 0.6)),
    segments=(Segment(0.0, 0.5, 0.6),),
    attribution=(Attribution("stylegan2", 0.9),),
    evidence=(Finding("detector", "Traces.", 1.5),),
    models=(ModelUse("m", "1", "ab", 0.5, 3.0),),
    engine={"provider": "cpu"},
    timings={"total_ms": 3.0},
    warnings=("A warning.",),
)


def test_a_report_as_plain_types_is_what_asdict_says_of_it() -> None:
    for report in (FULL, Report("b2", {"path": "b.jpg"}, "unable")):
        assert report.to_dict() == {"schema": SCHEMA, **asdict(report)}


def test_a_report_comes_back_whole_from_json() -> None:
    assert Report.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_whatever_is_done_to_the_plain_form_leaves_the_report_as_it_was() -> None:
    before = json.dumps(FULL.to_dict())
    plain = FULL.to_dict()

    plain["media"]["jpeg"]["quality"] = 1
    plain["stability"]["tried"] = 9
    plain["timeline"][0]["frame"] = 7
    plain["provenance"]["claims"].append("x")

    assert json.dumps(FULL.to_dict()) == before
