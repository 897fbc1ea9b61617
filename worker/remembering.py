"""Media that pass through a worker or a command are looked up in the registry, and then entered into it.

What was seen before becomes evidence without weight in the report: no verdict looks at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from evidence.errors import NoSuchJob
from evidence.verdict import Finding
from exports.making import GLIMPSES_PER_SECOND, Made
from provenance.perceptual import NO_MARKS, Fingerprint, film, fingerprint
from provenance.registry import Entry, Registry
from provenance.seen import Origin, Seen, rate_words, sighting_words
from worker.jobs.engine import reading, translated, writing

MOST_FINDINGS = 5


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


def remember(
    registry: Registry, tenant: str, known: Sequence[Known], *, job: str | None = None
) -> list[Seen]:
    """Where each medium was seen before, of scans; then all are entered. Raises StoreError."""
    seen = [
        registry.trace(tenant, one.sha256, one.fingerprint, but_job=job or "") if one.report else Seen()
        for one in known
    ]
    registry.enter([_entry(one, tenant, job) for one in known])
    return seen


def tell(known: Sequence[Known], seen: Sequence[Seen]) -> None:
    """Write into the reports where their media were seen before."""
    for one, found in zip(known, seen, strict=True):
        if one.report is not None:
            report = one.report
            report["provenance"] = {**report["provenance"], "near_duplicates": found.rows()}
            report["evidence"] = [*report["evidence"], *(asdict(finding) for finding in findings_of(found))]


def findings_of(seen: Seen) -> tuple[Finding, ...]:
    """The sightings as evidence, the surest first."""
    return tuple(
        Finding("registry", sighting_words(one), 0.0, rate_words(one))
        for one in seen.sightings[:MOST_FINDINGS]
    )


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
