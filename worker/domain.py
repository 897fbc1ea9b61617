"""What the detector's error rates do not cover: limits of the medium, each with what would help.

A limit blocks the verdicts it makes untenable; the rest of the report still stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from evidence.verdict import Verdict
from worker.findings import Findings

SMALL_SIDE = 64  # pixels: below this the detector sees more reflection than picture
LOW_QUALITY = 30  # libjpeg quality: below this little but the compression is left
FLAT_SHARE = 0.5  # of a still in runs of one colour; photographs at JPEG quality 40 stay below 0.45
FULL_COVERAGE = 0.9  # of the frames asked for
GOOD_QUALITY = 85
LARGE_SIDE = 400


@dataclass(frozen=True)
class Limit:
    """One reason why error rates do not hold, what to do, and the verdicts that cannot stand."""

    sentence: str
    advice: str
    blocks: tuple[Verdict, ...] = ("fake", "real")


def limits(findings: Findings) -> tuple[Limit, ...]:
    """The limits that this medium runs into, the gravest first."""
    info, found = findings.info, []
    quality = info.jpeg.quality if info.jpeg else 100
    if min(info.width, info.height) < SMALL_SIDE:
        found.append(
            Limit(
                f"At {info.width} x {info.height} pixels it is too small: a side has less than {SMALL_SIDE}.",
                "A larger original would decide.",
            )
        )
    if quality < LOW_QUALITY:
        found.append(
            Limit(
                f"It is too strongly compressed: JPEG quality {quality}, below {LOW_QUALITY}.",
                "An earlier, less compressed copy would decide.",
            )
        )
    if info.kind == "image" and findings.flat_share > FLAT_SHARE:  # video codecs flatten real scenes too
        found.append(
            Limit(
                f"It is no photograph: {findings.flat_share:.0%} of it is of flat colour, as in drawings, "
                "documents and screenshots.",
                "The detector was measured on photographs; hand in the photograph itself.",
            )
        )
    decoded, expected = findings.coverage.decoded, findings.coverage.expected
    if decoded < FULL_COVERAGE * expected:
        found.append(
            Limit(
                f"Only {decoded} of {expected} frames could be decoded.",
                "An undamaged copy would decide.",
                blocks=("real",),
            )
        )
    return tuple(found)


def would_decide(findings: Findings) -> str:
    """What input would decide an uncertain case, as a sentence."""
    info = findings.info
    if info.kind == "video" and len(findings.frames) < 10:
        return "A longer clip, or a denser sampling with --every, would tell more."
    if info.jpeg and info.jpeg.quality < GOOD_QUALITY:
        return f"An earlier copy, less compressed than JPEG quality {info.jpeg.quality}, would tell more."
    if min(info.width, info.height) < LARGE_SIDE:
        return f"A larger original than {info.width} x {info.height} pixels would tell more."
    return "The file as it left the camera or its first publisher would tell more."
