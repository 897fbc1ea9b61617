"""The words for what we say about a medium: frozen dataclasses, the only result types.

`Report` is the contract `touchstone.scan/1`. Three words stay apart everywhere: a `logit` is raw,
a `score` is calibrated (0..1, high = fake), a verdict is the word people are told.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Literal

SCHEMA = "touchstone.scan/1"

Verdict = Literal["fake", "real", "uncertain"]
Status = Literal["ok", "not_applicable", "unable"]
DecidedBy = Literal["detector", "c2pa", "watermark", "registry"]


@dataclass(frozen=True)
class Reason:
    """Why there is no verdict, why it is uncertain, or what else than the pixels decided it: a code, and a
    sentence with what to do."""

    code: str
    message: str


@dataclass(frozen=True)
class Threshold:
    """The operating point a verdict was read at, with the false-alarm rate measured for it."""

    name: str
    value: float
    false_alarm_rate: float
    measured_on: str
    n: int


@dataclass(frozen=True)
class Stability:
    """How many re-encodings of the medium kept the verdict, and which flipped it."""

    agreeing: int = 0
    tried: int = 0
    flipped_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """Whether the medium is of a kind the detector was measured on, and if not, why."""

    in_domain: bool = True
    why_not: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """A part of the picture: `box` is [x0, y0, x1, y1] in pixels of the upright medium."""

    box: tuple[int, int, int, int]
    kind: Literal["face", "area"]
    fake_probability: float


@dataclass(frozen=True)
class TimelinePoint:
    """The score of one sampled frame; `t` in seconds of presentation."""

    t: float
    frame: int
    fake_probability: float


@dataclass(frozen=True)
class Segment:
    """A stretch of a video that reads as fake; times in seconds."""

    start: float
    end: float
    fake_probability: float


@dataclass(frozen=True)
class Attribution:
    """A generator family and the probability that it made the medium."""

    generator: str
    probability: float


@dataclass(frozen=True)
class Finding:
    """One piece of evidence; `weight` is signed, positive speaks for fake."""

    kind: Literal["detector", "c2pa", "metadata", "watermark", "registry"]
    finding: str
    weight: float
    detail: str = ""


@dataclass(frozen=True)
class ModelUse:
    """One model that was asked, with its calibrated score and the time it took."""

    name: str
    version: str
    sha256: str
    score: float
    ms: float


def nothing_claimed() -> dict[str, Any]:
    """The section `provenance` of a report while nothing is known: every part, empty."""
    return {"c2pa": None, "metadata": [], "claims": [], "watermark": {}, "near_duplicates": []}


@dataclass(frozen=True)
class Report:
    """Everything said about one medium; `to_dict()` is the JSON contract `touchstone.scan/1`.

    `fake_probability` and its interval are of the pixels alone, whoever decided the verdict.

    `heatmap` is a (rows, cols) grid of fake probability 0..1 over the upright picture (for a video,
    over its worst frame), with None in cells nobody looked at. `mask_area` is the share of the picture
    that reads as fake.
    """

    id: str
    media: dict[str, Any]
    status: Status
    reason: Reason | None = None
    verdict: Verdict | None = None
    decided_by: DecidedBy = "detector"
    fake_probability: float | None = None
    interval: tuple[float, float] | None = None
    threshold: Threshold | None = None
    stability: Stability = field(default_factory=Stability)
    domain: Domain = field(default_factory=Domain)
    coverage: dict[str, int] = field(default_factory=lambda: {"decoded": 0, "expected": 0, "errors": 0})
    regions: tuple[Region, ...] = ()
    heatmap: tuple[tuple[float | None, ...], ...] | None = None
    mask_area: float | None = None
    timeline: tuple[TimelinePoint, ...] = ()
    segments: tuple[Segment, ...] = ()
    attribution: tuple[Attribution, ...] = ()
    evidence: tuple[Finding, ...] = ()
    provenance: dict[str, Any] = field(default_factory=nothing_claimed)
    models: tuple[ModelUse, ...] = ()
    engine: dict[str, str] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON types, with `schema` first.

        `dataclasses.asdict` says the same, but goes through each cell of the heat map: as long as a
        twentieth of a small picture's scan.
        """
        plain: dict[str, Any] = {"schema": SCHEMA, **vars(self)}
        for name in (*_OPTIONAL, *_PARTS):
            plain[name] = None if plain[name] is None else {**vars(plain[name])}
        for name in _LISTS:
            plain[name] = tuple({**vars(row)} for row in plain[name])
        for name in _OPEN:  # the report stays as it is, whatever is done to what it says
            plain[name] = deepcopy(plain[name])
        return plain

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Report:
        """The report whose `to_dict` went through JSON; raises KeyError or TypeError for anything else."""
        known = {name: value for name, value in fields.items() if name != "schema"}
        for name, kind in _OPTIONAL.items():
            known[name] = None if known[name] is None else kind(**known[name])
        for name, kind in _LISTS.items():
            known[name] = tuple(kind(**row) for row in known[name])
        known["regions"] = tuple(replace(region, box=tuple(region.box)) for region in known["regions"])
        known["stability"] = Stability(
            **{**known["stability"], "flipped_by": tuple(known["stability"]["flipped_by"])}
        )
        known["domain"] = Domain(**{**known["domain"], "why_not": tuple(known["domain"]["why_not"])})
        known["interval"] = known["interval"] and tuple(known["interval"])
        known["heatmap"] = known["heatmap"] and tuple(map(tuple, known["heatmap"]))
        known["warnings"] = tuple(known["warnings"])
        return cls(**known)


_OPTIONAL: dict[str, type] = {"reason": Reason, "threshold": Threshold}
_PARTS = ("stability", "domain")
_LISTS: dict[str, type] = {
    "regions": Region,
    "timeline": TimelinePoint,
    "segments": Segment,
    "attribution": Attribution,
    "evidence": Finding,
    "models": ModelUse,
}
_OPEN = ("media", "coverage", "provenance", "engine", "timings")
