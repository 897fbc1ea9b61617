"""From findings to a report: the whole policy on one page.

1. The score is the calibrated logit; the word for it comes from two thresholds with measured error rates.
2. A detector that was never calibrated convicts and clears nobody: `uncertain`.
3. Outside what the error rates were measured on (`domain.py`) there is no verdict either way: `uncertain`.
4. `fake` must survive re-encoding: most changes keep it, none makes it `real`. `real` must not become `fake`.
5. A video is not `real` while a stretch of it reads as fake, nor when more than a tenth of it went unseen.
6. What stands beside the pixels, credentials and claims, has the last word (`fusion.py`).

Whatever is `uncertain` says why, and what would decide it.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.aggregate import segments
from detector.thresholds import Calibration
from evidence.errors import MediaError
from evidence.medium import MediaInfo
from evidence.verdict import (
    Attribution,
    Domain,
    Finding,
    ModelUse,
    Reason,
    Region,
    Report,
    Segment,
    Stability,
    TimelinePoint,
    Verdict,
)
from provenance.examine import Declared
from worker import domain, regions
from worker.declared import provenance_of
from worker.findings import Findings
from worker.fusion import findings_of, fuse
from worker.scan import calibration_for

SURVIVES = 0.5  # share of re-encodings that must keep a `fake`


@dataclass(frozen=True)
class Detector:
    """Which detector speaks, how its logits are read, and where it runs.

    `fingerprint` names everything besides medium and detector that decides a result; `fallback` says
    why the device that was asked for is not in use, and is empty when it is.
    """

    name: str
    version: str
    sha256: str
    calibration: Calibration
    provider: str
    precision: str
    fingerprint: str
    fallback: str = ""


@dataclass(frozen=True)
class Decision:
    """A report, and the full heat map (rows, cols) of probabilities 0..1 that it was read from."""

    report: Report
    heat: NDArray[np.float32]


def decide(
    findings: Findings,
    detector: Detector,
    timings: dict[str, float] | None = None,
    declared: Declared | None = None,
) -> Decision:
    """The report on one medium; `timings` are milliseconds by stage.

    `declared` is what the file says of itself.
    """
    info = findings.info
    calibration = calibration_for(detector.calibration, info)
    score = calibration.score(findings.logit)
    low, high = calibration.interval(findings.logit, findings.spread)
    stability = _stability(findings, calibration)
    parts = _segments(findings, calibration)
    limits = domain.limits(findings)
    first = calibration.verdict(score)
    reason = _doubt(first, findings, calibration, stability, parts, limits)
    seen: Verdict = first if reason is None else "uncertain"
    fused = fuse(seen, reason, declared, findings.mark)
    heat = regions.probabilities(findings.grid, findings.whole, calibration)
    found, mask_area = regions.areas(heat, calibration, info.height, info.width)
    timings = timings or {}
    report = Report(
        id=_identity(info.sha256, detector),
        media=media_of(info),
        status="ok",
        reason=fused.reason,
        verdict=fused.verdict,
        decided_by=fused.decided_by,
        fake_probability=round(score, 4),
        interval=(round(low, 4), round(high, 4)),
        threshold=calibration.threshold_for(),
        stability=stability,
        domain=Domain(not limits, tuple(limit.sentence for limit in limits)),
        coverage=asdict(findings.coverage),
        regions=(*_faces(findings, calibration), *found),
        heatmap=regions.for_report(heat),
        mask_area=round(mask_area, 4),
        timeline=_timeline(findings, calibration),
        segments=parts,
        evidence=(*_evidence(findings, calibration, score, seen), *findings_of(declared, findings.mark)),
        attribution=_attribution(findings, calibration, seen),
        provenance=provenance_of(info, declared, findings.mark),
        models=(
            ModelUse(
                detector.name,
                detector.version,
                detector.sha256,
                round(score, 4),
                round(timings.get("detect_ms", 0.0), 1),
            ),
        ),
        engine={
            "detector": _named(detector),
            "provider": detector.provider,
            "precision": detector.precision,
            "fingerprint": detector.fingerprint,
        },
        timings=_rounded(timings),
        warnings=_warnings(findings, detector),
    )
    return Decision(report, heat)


def unable(
    path: str,
    error: MediaError,
    detector: Detector,
    *,
    info: MediaInfo | None = None,
    timings: dict[str, float] | None = None,
    declared: Declared | None = None,
) -> Report:
    """The report on a medium that could not be examined: a code, and what to do.

    `info` is known if it was opened; without `timings` no time was spent on it.
    """
    media = media_of(replace(info, path=path)) if info else {**dict.fromkeys(MEDIA_KEYS), "path": path}
    return Report(
        id=_identity(info.sha256 if info else path, detector),
        media=media,
        status="unable",
        reason=Reason(error.code, str(error)),
        evidence=findings_of(declared),
        provenance=provenance_of(info, declared),
        engine={"detector": _named(detector), "fingerprint": detector.fingerprint},
        timings=_rounded(timings or {"total_ms": 0.0}),
    )


MEDIA_KEYS = (
    "path", "sha256", "kind", "mime", "size_bytes", "width", "height",
    "duration_s", "frames", "fps_mode", "rotation", "codec", "jpeg",
)  # fmt: skip


def media_of(info: MediaInfo) -> dict[str, Any]:
    """What is known of the file, under the names of the contract (`MEDIA_KEYS`)."""
    known = {
        "duration_s": info.duration_seconds,
        "jpeg": {"quality": info.jpeg.quality, "sampling": info.jpeg.sampling} if info.jpeg else None,
    }
    return {key: known[key] if key in known else getattr(info, key) for key in MEDIA_KEYS}


def _doubt(
    first: Verdict,
    findings: Findings,
    calibration: Calibration,
    stability: Stability,
    parts: tuple[Segment, ...],
    limits: tuple[domain.Limit, ...],
) -> Reason | None:
    """Why the first word cannot stand, or None; the gravest doubt comes first."""
    helps = domain.would_decide(findings)
    if calibration.n == 0:
        return Reason(
            "uncalibrated",
            "This detector's error rates were never measured, so its number is no verdict. "
            "Use a calibrated detector; `touchstone models` lists them.",
        )
    blocking = [limit for limit in limits if first in limit.blocks]
    if blocking:
        return Reason("out_of_domain", f"{blocking[0].sentence} {blocking[0].advice}")
    if first == "uncertain":
        return Reason("between_thresholds", f"The signs are too weak for either verdict. {helps}")
    if first == "fake" and not _survives(findings, calibration, stability):
        return Reason(
            "unstable",
            f"The picture reads as fake, but not after: {', '.join(stability.flipped_by)}. {helps}",
        )
    if first == "real" and any(_word(trial.logit, calibration) == "fake" for trial in findings.trials):
        return Reason(
            "unstable",
            f"The picture reads as real, but as fake after: {', '.join(stability.flipped_by)}. {helps}",
        )
    if first == "real" and parts:
        return Reason(
            "part_reads_fake", f"The whole reads as real, but {len(parts)} stretch(es) of it as fake. {helps}"
        )
    return None


def _survives(findings: Findings, calibration: Calibration, stability: Stability) -> bool:
    words = [_word(trial.logit, calibration) for trial in findings.trials]
    return "real" not in words and stability.agreeing > SURVIVES * stability.tried


def _word(logit: float, calibration: Calibration) -> Verdict:
    return calibration.verdict(calibration.score(logit))


def _stability(findings: Findings, calibration: Calibration) -> Stability:
    first = _word(findings.logit, calibration)
    flipped = tuple(t.name for t in findings.trials if _word(t.logit, calibration) != first)
    return Stability(len(findings.trials) - len(flipped), len(findings.trials), flipped)


def _segments(findings: Findings, calibration: Calibration) -> tuple[Segment, ...]:
    if findings.info.kind == "image":
        return ()
    times = [frame.time_seconds for frame in findings.frames]
    found = segments(times, [frame.logit for frame in findings.frames], calibration)
    return tuple(
        Segment(round(part.start, 3), round(part.end, 3), round(part.fake_probability, 4)) for part in found
    )


def _timeline(findings: Findings, calibration: Calibration) -> tuple[TimelinePoint, ...]:
    if findings.info.kind == "image":
        return ()
    return tuple(
        TimelinePoint(round(f.time_seconds, 3), f.index, round(calibration.score(f.logit), 4))
        for f in findings.frames
    )


def _faces(findings: Findings, calibration: Calibration) -> tuple[Region, ...]:
    return tuple(
        Region(face.box, "face", round(calibration.score(face.logit), 4))
        for face in findings.faces
        if face.logit is not None
    )


def _attribution(findings: Findings, calibration: Calibration, seen: Verdict) -> tuple[Attribution, ...]:
    """Who made what the pixels show to be forged; nothing where they do not, or nobody measured it."""
    if seen != "fake" or findings.families is None or calibration.families is None:
        return ()
    return calibration.families.attribute(findings.families)


def _evidence(
    findings: Findings, calibration: Calibration, score: float, verdict: Verdict
) -> tuple[Finding, ...]:
    """What the detector says, as one weighed finding: log odds of the score, at most 7 either way."""
    weight = round(float(np.clip(np.log(max(score, 1e-9) / max(1 - score, 1e-9)), -7.0, 7.0)), 2)
    found = {
        "fake": "The pixels carry traces that image generators leave.",
        "real": "No trace of an image generator known to this detector was found.",
        "uncertain": "The pixels speak clearly neither for nor against an image generator.",
    }[verdict]
    detail = (
        "The finding rests on traces of upsampling in the pixels, not on what the picture shows. It does "
        "not say who made it or why, and a verdict of real is no proof that the scene took place."
    )
    return (Finding("detector", found, weight, detail),)


def _warnings(findings: Findings, detector: Detector) -> tuple[str, ...]:
    found = []
    if detector.fallback:
        found.append(f"The detector runs on {detector.provider}: {detector.fallback}")
    if findings.tiles < findings.tiles_to_cover:
        share = findings.tiles / findings.tiles_to_cover
        what = "picture" if findings.info.kind == "image" else "frame shown"
        found.append(
            f"{findings.tiles} of {findings.tiles_to_cover} tiles ({share:.0%}) of the {what} were looked at."
        )
    if findings.coverage.errors:
        found.append(f"{findings.coverage.errors} parts of the file could not be decoded.")
    return tuple(found)


def _named(detector: Detector) -> str:
    return f"{detector.name}@{detector.version}"


def _rounded(timings: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in timings.items()}


def _identity(medium: str, detector: Detector) -> str:
    """The same medium, detector and settings have the same id."""
    text = f"{medium} {detector.sha256} {detector.fingerprint} {detector.provider}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:24]
