"""Media that pass through a worker or a command are looked up in the registry, and then entered into it.

What was seen before becomes evidence in the report, and decides where `fusion.py` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from evidence.errors import NoSuchJob
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from evidence.verdict import Reason, Report
from exports.making import GLIMPSES_PER_SECOND, Made
from provenance.perceptual import NO_MARKS, Fingerprint, Sketch, film, fingerprint
from provenance.registry import Entry, Registry
from provenance.seen import Origin, Seen
from worker.fusion import Fused, fuse_seen, seen_findings
from worker.jobs.engine import reading, translated, writing


@dataclass(frozen=True)
class Known:
    """A medium to be remembered; `report` is that of a scan, as plain as it is kept."""

    sha256: str
    fingerprint: Fingerprint = NO_MARKS
    kind: str = "image"
    name: str = ""
    source: str = ""
    report: dict[str, Any] | None = None

    @property
    def origin(self) -> Origin:
        return "generated" if self.report is None else "scanned"


def open_registry(engine: Engine) -> Registry:
    """The registry in the job store's database, which has been migrated."""
    return Registry(lambda: _reading(engine), lambda: _writing(engine))


def known_scan(report: dict[str, Any], marks: Fingerprint) -> tuple[Known, ...]:
    """A scan to be remembered; none of a file that could not even be opened."""
    media = report["media"]
    if not media["sha256"]:
        return ()
    kind = media["kind"] or "image"
    return (Known(media["sha256"], marks, kind, str(media["path"]), report=report),)


def known_made(made: Made, name: str, sha256: str) -> Known:
    """A file that a generator made, to be remembered."""
    origin = made.origin
    source = f"{origin['generator']}@{origin['version']}"
    if made.shown:
        return Known(sha256, fingerprint(made.shown[-1]), "image", name, source)
    return Known(sha256, film(made.glimpses, GLIMPSES_PER_SECOND), "video", name, source)


def known_forgery(row: Mapping[str, Any], pixels: Pixels) -> Known:
    """A picture of a folder of forgeries, by its row in the manifest, to be remembered."""
    source = f"{row['generator']}@{row['version']}"
    return Known(row["sha256"], fingerprint(pixels), "image", row["path"], source)


def look(pool: DecoderPool, path: str, sampling: Sampling) -> Known:
    """What a file is known by. Raises MediaError."""
    with pool.open(path, sampling) as medium:
        sketch = Sketch(medium.info)
        for frame in medium.frames():
            sketch.add(frame)
        return Known(medium.info.sha256, sketch.fingerprint, medium.info.kind, path)


def remember(
    registry: Registry, tenant: str, known: Sequence[Known], *, job: str | None = None
) -> list[Seen]:
    """Where each medium was seen before, of scans; then all are entered. Raises StoreError."""
    scans = [(one.sha256, one.fingerprint) for one in known if one.report]
    found = iter(registry.trace_all(tenant, scans, but_job=job or ""))
    seen = [next(found) if one.report else Seen() for one in known]
    registry.enter([_entry(one, tenant, job) for one in known])
    return seen


def tell(known: Sequence[Known], seen: Sequence[Seen]) -> None:
    """Write into the reports where their media were seen before."""
    for one, found in zip(known, seen, strict=True):
        if one.report is not None:
            report = one.report
            report["provenance"] = {**report["provenance"], "near_duplicates": found.rows()}
            report["evidence"] = [*report["evidence"], *(asdict(finding) for finding in seen_findings(found))]
            report.update(asdict(_fused(report, found)))


def told(report: Report, seen: Seen) -> Report:
    """The same for a report that was not yet made plain."""
    fused = _fused({"verdict": report.verdict, "decided_by": report.decided_by, "reason": None}, seen)
    return replace(
        report,
        provenance={**report.provenance, "near_duplicates": seen.rows()},
        evidence=(*report.evidence, *seen_findings(seen)),
        verdict=fused.verdict,
        reason=fused.reason or report.reason,
        decided_by=fused.decided_by,
    )


def _fused(report: Mapping[str, Any], seen: Seen) -> Fused:
    """What the report says after the registry; a medium without a verdict gets none by it."""
    reason = None if report["reason"] is None else Reason(**report["reason"])
    before = Fused(report["verdict"], reason, report.get("decided_by", "detector"))
    return fuse_seen(before, seen) if before.verdict else before


def _entry(known: Known, tenant: str, job: str | None) -> Entry:
    return Entry(
        tenant,
        known.origin,
        known.sha256,
        kind=known.kind,
        name=known.name,
        source=known.source,
        job=job,
        fingerprint=known.fingerprint,
    )


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    with translated(), reading(engine) as connection:
        yield connection


@contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    with translated():
        try:
            with writing(engine) as connection:
                yield connection
        except IntegrityError:
            raise NoSuchJob("There is no such job any more.", "Nothing of it is remembered.") from None
