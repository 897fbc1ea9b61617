"""The policy, sentence by sentence: which word, and why not another."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from detector.thresholds import Bucket, Calibration
from evidence.errors import DamagedMedia
from evidence.medium import Coverage, JpegHistory, MediaInfo
from evidence.verdict import Report
from tests.tiny_detector import CALIBRATION
from worker.decide import MEDIA_KEYS, Detector, decide, unable
from worker.findings import FaceScore, Findings, FrameScore, Trial

DETECTOR = Detector("tiny", "1", "ab" * 32, CALIBRATION, "cpu", "fp32", "f" * 12)


def findings(logit: float = 4.0, **changes: object) -> Findings:
    """Findings of a 256 x 256 PNG whose every cell has this logit, with stable trials."""
    names = ("JPEG quality 90", "JPEG quality 75", "WebP quality 80", "resize to 90 %", "crop of 4 pixels")
    plain = Findings(
        info=MediaInfo("a.png", "cd" * 32, "image", "image/png", 1000, 256, 256),
        coverage=Coverage(1, 1, 0),
        logit=logit,
        spread=0.1,
        frames=(FrameScore(0, 0.0, logit),),
        shown=0,
        grid=np.full((32, 32), logit),
        whole=logit,
        tiles=1,
        tiles_to_cover=1,
        flat_share=0.0,
        faces=(),
        trials=tuple(Trial(name, logit) for name in names),
        preview=None,
    )
    return replace(plain, **changes)


def video(logits: list[float], **changes: object) -> Findings:
    frames = tuple(FrameScore(i, i / 2, logit) for i, logit in enumerate(logits))
    info = MediaInfo(
        "a.mp4", "ef" * 32, "video", "video/mp4", 1000, 256, 256, duration_seconds=len(logits) / 2
    )
    return findings(
        float(np.mean(logits)), **{"info": info, "frames": frames, "coverage": Coverage(9, 9, 0), **changes}
    )


def reported(found: Findings, calibration: Calibration = CALIBRATION) -> Report:
    return decide(found, replace(DETECTOR, calibration=calibration)).report


def reason_of(report: Report) -> str:
    return report.reason.code if report.reason else ""


@pytest.mark.parametrize(("logit", "word"), [(4.0, "fake"), (-4.0, "real"), (0.0, "uncertain")])
def test_the_word_comes_from_the_calibrated_score(logit: float, word: str) -> None:
    report = reported(findings(logit))

    assert report.verdict == word
    assert report.fake_probability == pytest.approx(CALIBRATION.score(logit), abs=1e-4)
    assert report.threshold is not None
    assert (report.threshold.false_alarm_rate, report.threshold.n) == (0.01, 100)


def test_uncertain_says_what_would_decide_it() -> None:
    report = reported(findings(0.0))

    assert reason_of(report) == "between_thresholds"
    assert "A larger original than 256 x 256" in report.reason.message


def test_a_detector_that_was_never_calibrated_convicts_nobody() -> None:
    report = reported(findings(9.0), Calibration())

    assert (report.verdict, reason_of(report)) == ("uncertain", "uncalibrated")


def test_a_fake_that_compression_makes_real_is_uncertain_and_names_it() -> None:
    trials = (*findings().trials[:4], Trial("JPEG quality 75", -4.0))

    report = reported(findings(4.0, trials=trials))

    assert (report.verdict, reason_of(report)) == ("uncertain", "unstable")
    assert report.stability.flipped_by == ("JPEG quality 75",)
    assert (report.stability.agreeing, report.stability.tried) == (4, 5)
    assert "JPEG quality 75" in report.reason.message


def test_a_fake_that_most_changes_weaken_is_uncertain_though_none_makes_it_real() -> None:
    weakened = [replace(trial, logit=0.0) for trial in findings().trials[:3]]

    report = reported(findings(4.0, trials=(*weakened, *findings().trials[3:])))

    assert (report.verdict, reason_of(report)) == ("uncertain", "unstable")


def test_a_fake_that_two_changes_weaken_stays_fake_and_says_so() -> None:
    weakened = [replace(trial, logit=0.0) for trial in findings().trials[:2]]

    report = reported(findings(4.0, trials=(*weakened, *findings().trials[2:])))

    assert report.verdict == "fake"
    assert len(report.stability.flipped_by) == 2


def test_a_real_that_a_change_makes_fake_is_uncertain() -> None:
    report = reported(findings(-2.5, trials=(Trial("resize to 90 %", 5.0),)))

    assert (report.verdict, reason_of(report)) == ("uncertain", "unstable")


@pytest.mark.parametrize("logit", [4.0, -4.0])
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"info": MediaInfo("a", "b", "image", "image/png", 9, 40, 256)}, "too small"),
        (
            {
                "info": MediaInfo(
                    "a", "b", "image", "image/jpeg", 9, 256, 256, jpeg=JpegHistory(((1,),), "4:2:0", 12)
                )
            },
            "JPEG quality 12",
        ),
        ({"flat_share": 0.8}, "no photograph"),
    ],
)
def test_outside_the_domain_there_is_no_verdict_either_way(
    changes: dict[str, object], word: str, logit: float
) -> None:
    report = reported(findings(logit, **changes))

    assert (report.verdict, reason_of(report)) == ("uncertain", "out_of_domain")
    assert not report.domain.in_domain
    assert word in report.domain.why_not[0]
    assert word in report.reason.message


def test_half_a_video_can_be_fake_but_not_real() -> None:
    seen = Coverage(decoded=10, expected=20, errors=3)

    assert reported(video([4.0] * 10, coverage=seen)).verdict == "fake"
    report = reported(video([-4.0] * 10, coverage=seen))
    assert (report.verdict, reason_of(report)) == ("uncertain", "out_of_domain")
    assert any("3 parts" in warning for warning in report.warnings)


def test_a_video_with_a_fake_stretch_is_not_real() -> None:
    report = reported(video([-6.0] * 30 + [6.0] * 6 + [-6.0] * 30, trials=()))

    assert (report.verdict, reason_of(report)) == ("uncertain", "part_reads_fake")
    (part,) = report.segments
    assert (part.start, part.end) == (15.0, 18.0)
    assert len(report.timeline) == 66


def test_the_bucket_of_the_picture_gives_its_own_threshold() -> None:
    bucket = Bucket("side 200-399, quality 85+", 1.0, 0.0, 0.999, 0.2, 0.005, 40, (0.0, 0.0, 0.0))

    report = reported(findings(4.0), replace(CALIBRATION, buckets=(bucket,)))

    assert report.verdict == "uncertain"  # 0.98 is below this bucket's threshold
    assert report.threshold.n == 40


def test_faces_and_areas_become_regions_with_the_faces_first() -> None:
    faces = (FaceScore((10, 10, 50, 60), 5.0), FaceScore((0, 0, 9, 9), None))

    report = reported(findings(4.0, faces=faces))

    assert [region.kind for region in report.regions] == ["face", "area"]
    assert report.regions[0].fake_probability == pytest.approx(CALIBRATION.score(5.0), abs=1e-4)
    assert report.mask_area == 1.0


def test_a_partly_seen_picture_says_how_much_was_seen() -> None:
    report = reported(findings(4.0, tiles=16, tiles_to_cover=64))

    assert "16 of 64 tiles (25%)" in report.warnings[0]


def test_a_report_survives_json_and_the_same_findings_give_the_same_one() -> None:
    report = reported(findings(4.0, faces=(FaceScore((1, 2, 30, 40), 1.0),)))

    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert reported(findings(4.0, faces=(FaceScore((1, 2, 30, 40), 1.0),))) == report


def test_evidence_weighs_for_fake_with_plus_and_for_real_with_minus() -> None:
    for logit in (4.0, -4.0):
        (finding,) = reported(findings(logit)).evidence
        assert finding.weight == pytest.approx(logit, abs=0.01)
        assert "no proof" in finding.detail


FAMILIES = Calibration.from_dict(
    {**CALIBRATION.to_dict(), "families": {"families": ["cyclegan", "haar"], "known_at": 0.8, "n": 60}}
)


def test_who_made_a_forgery_is_named_where_it_stands_out() -> None:
    named = reported(findings(4.0, families=np.array([0.0, 6.0])), FAMILIES).attribution

    assert [one.generator for one in named] == ["haar", "cyclegan"]
    assert named[0].probability == pytest.approx(0.9975, abs=1e-4)


@pytest.mark.parametrize("logit", [-4.0, 0.0])
def test_what_is_not_called_fake_has_no_maker(logit: float) -> None:
    assert reported(findings(logit, families=np.array([0.0, 6.0])), FAMILIES).attribution == ()


def test_a_detector_whose_naming_nobody_measured_names_nobody() -> None:
    assert reported(findings(4.0, families=np.array([0.0, 6.0]))).attribution == ()


def test_what_cannot_be_examined_has_a_code_advice_and_every_media_field() -> None:
    report = unable("x.jpg", DamagedMedia("It is torn.", "Get another."), DETECTOR)

    assert (report.status, report.verdict) == ("unable", None)
    assert report.reason.code == "damaged"
    assert report.reason.message == "It is torn. Get another."
    assert set(report.media) == set(MEDIA_KEYS)


def test_what_was_opened_before_it_failed_is_still_described() -> None:
    info = MediaInfo("/tmp/x", "ab", "video", "video/mp4", 9, 64, 64)

    report = unable("x.mp4", DamagedMedia("torn"), DETECTOR, info=info, timings={"total_ms": 1.26})

    assert (report.media["path"], report.media["sha256"], report.media["kind"]) == ("x.mp4", "ab", "video")
    assert report.timings == {"total_ms": 1.3}


@pytest.mark.parametrize("info", [None, MediaInfo("x", "ab", "image", "image/png", 9, 64, 64)])
def test_provenance_has_its_five_parts_also_where_nothing_could_be_examined(info: MediaInfo | None) -> None:
    empty = {"c2pa": None, "metadata": [], "claims": [], "watermark": {}, "near_duplicates": []}

    assert unable("x.png", DamagedMedia("torn"), DETECTOR, info=info).provenance == empty
    assert reported(findings(4.0)).provenance.keys() == empty.keys()
