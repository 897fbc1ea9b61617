"""One scanner for the command line, the API and the queue: sessions and decode children, kept open.

with Scanner(load_settings()) as scanner:
    for scanned in scanner.scan_all(paths):
        print(scanned.report.verdict)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from detector.scores import Scores
from detector.thresholds import Calibration
from evidence.digest import sha256_file
from evidence.errors import MediaError, ModelError
from evidence.faces import FaceFinder
from evidence.medium import Pixels, Sampling
from evidence.sandbox import DecoderPool
from evidence.verdict import Report
from exports.registry import SHIPPED, ModelEntry, Registry, registry
from exports.runtime import open_detector
from provenance.examine import examine as examine_provenance
from provenance.examine import reader
from provenance.perceptual import NO_MARKS, Fingerprint, key_frames
from provenance.trust import TrustStore
from provenance.watermark.keys import fingerprint as key_name
from provenance.watermark.keys import read_key
from worker import batching
from worker.decide import Detector, decide, unable
from worker.decoding import DecodeAhead, Fetched, OpenMedium, Opens
from worker.findings import Findings
from worker.parts import Long, Looked, Part, Whole, parts_of
from worker.scan import Examination, Lens, PartExamination, examine, examine_part, examine_whole
from worker.settings import Settings, load_settings

OnFrame = Callable[[str, int, int], None]
Result = TypeVar("Result")
Found = TypeVar("Found", covariant=True)


@dataclass(frozen=True)
class Scanned:
    """The report on one medium and the pictures beside it, as `touchstone.report.item` explains them."""

    report: Report
    preview: Pixels | None = None
    heat: NDArray[np.float32] | None = None
    fingerprint: Fingerprint = NO_MARKS

    def named(self, name: str) -> Scanned:
        """The same of a medium that its owner calls `name`, wherever it lay."""
        report = self.report
        path = str(report.media["path"])
        reason = report.reason and replace(report.reason, message=report.reason.message.replace(path, name))
        return replace(self, report=replace(report, media={**report.media, "path": name}, reason=reason))


class Examines(Protocol[Found]):
    """How a fetched medium is looked at, or why it is not."""

    def __call__(self, medium: Fetched) -> Generator[Pixels, Scores, Found] | MediaError: ...


class Scanner:
    """Scans any number of media with one detector session and one pool of decode children.

    `sampling` says which frames of a video are wanted, else the settings do. `previews` keeps a small
    picture of each medium for a report. `on_frame(path, done, expected)` hears of each frame. `reach(path)`,
    called by the threads that decode, gives the file of a medium that lies elsewhere. `fingerprints` are
    made for the registry. Trust lists are read once. Raises ModelError or SettingsError when there is no
    detector to scan with, TrustError.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        sampling: Sampling | None = None,
        previews: bool = False,
        on_frame: OnFrame | None = None,
        reach: Callable[[str], str] = str,
        fingerprints: bool = False,
    ) -> None:
        self.settings = settings or load_settings()
        self.sampling = sampling or self.settings.sampling
        self._on_frame, self._reach, self._fingerprints = on_frame, reach, fingerprints
        entry = find_detector(self.settings)
        self._session = open_detector(entry, self.settings.device, self.settings.threads)
        trust = TrustStore(self.settings.trust_folder)
        face_model, mark_key = self.settings.faces, _mark_key(self.settings)
        self._lens = Lens(
            calibration=calibration_of(entry),
            tiles_per_image=self.settings.tiles_per_image,
            tiles_per_frame=self.settings.tiles_per_frame,
            faces=FaceFinder(face_model) if face_model else None,
            preview=previews,
            mark_key=mark_key,
        )
        self.detector = Detector(
            name=entry.name,
            version=entry.version,
            sha256=entry.sha256,
            calibration=self._lens.calibration,
            provider=self._session.provider,
            precision=entry.tags.get("precision", "fp32"),
            fingerprint=self.settings.fingerprint(
                version("touchstone"),
                entry.sha256,
                self._lens.calibration,
                self.sampling,
                sha256_file(face_model) if face_model else "",
                trust.fingerprint(),
                key_name(mark_key) if mark_key else "",
            ),
            fallback=self._session.fallback_reason,
        )
        self._pool = DecoderPool(self.settings.limits, workers=self.settings.decoders, reader=reader(trust))

    def __enter__(self) -> Scanner:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def scan(self, path: str | Path) -> Report:
        """The report on one file."""
        (scanned,) = self.scan_all([str(path)])
        return scanned.report

    def scan_all(self, paths: Iterable[str]) -> Generator[Scanned]:
        """The report on each file, in order; a file that cannot be examined has a report that says so."""
        for outcome in self._run(paths, self._open, self._examine):
            yield self._scanned(outcome.key, outcome.result, outcome.timings)

    def scan_or_cut(self, paths: Iterable[str]) -> Generator[Scanned | Long]:
        """As `scan_all`, but of a video worth several shards only the parts that it may be cut into."""
        for outcome in self._run(paths, self._open, self._examine_if_short):
            if isinstance(outcome.result, Long):
                yield outcome.result
            else:
                yield self._scanned(outcome.key, outcome.result, outcome.timings)

    def scan_part(self, path: str, part: Part) -> Looked | MediaError:
        """What is seen in a part of a video."""
        (outcome,) = self._run([path], partial(self._open, part=part), self._examine_part, asked=False)
        if isinstance(outcome.result, MediaError):
            return outcome.result
        medium = outcome.key
        timings = _timings(medium, outcome.timings)
        return Looked(outcome.result, medium.coverage, timings, medium.fingerprint.marks)

    def scan_whole(self, path: str, whole: Whole) -> Scanned:
        """The report on a video that was looked at in parts."""

        def conclude(medium: Fetched) -> Examination | MediaError:
            seen = whole.looked
            if isinstance(seen, MediaError):
                return seen
            return examine_whole(medium, self._lens, seen.frames, seen.coverage)

        opens = partial(self._open, part=whole.around, sha256=whole.sha256)
        (outcome,) = self._run([path], opens, conclude)
        seen = None if isinstance(whole.looked, MediaError) else whole.looked
        before = seen.timings if seen else {}
        scanned = self._scanned(outcome.key, outcome.result, outcome.timings, before)
        return replace(scanned, fingerprint=Fingerprint(key_frames(seen.marks)) if seen else NO_MARKS)

    def unable(self, path: str, error: MediaError) -> Scanned:
        """The report on a path that could not even be tried."""
        return Scanned(unable(path, error, self.detector))

    def _run(
        self, paths: Iterable[str], opens: Opens, examine: Examines[Result], *, asked: bool = True
    ) -> Generator[batching.Outcome[Fetched, Result]]:
        """What came of each examination; with `asked`, each file is asked what it declares of itself."""
        asks = partial(examine_provenance, self._pool) if asked else None
        ahead = DecodeAhead(
            paths,
            opens,
            asks=asks,
            reach=self._reach,
            threads=self.settings.decoders,
            fingerprints=self._fingerprints,
        )
        try:
            for outcome in batching.run(
                _Examinations(ahead, examine), self._session.run, batch=self.settings.batch
            ):
                yield outcome
                ahead.release(outcome.key)
        finally:
            ahead.close()

    def _open(self, path: str, part: Part | None = None, sha256: str = "") -> OpenMedium:
        medium = self._pool.open(path, replace(self.sampling, part=part))
        if sha256:  # known from when the whole was opened
            medium.info = replace(medium.info, sha256=sha256)
        return medium

    def _examine(self, medium: Fetched) -> Examination:
        return examine(medium, self._lens, self._hearing(medium))

    def _examine_part(self, medium: Fetched) -> PartExamination:
        return examine_part(medium, self._lens, self._hearing(medium))

    def _examine_if_short(self, medium: Fetched) -> Generator[Pixels, Scores, Findings | Long]:
        parts = parts_of(medium.info, self._lens.tiles_per_frame, self.settings.part_tiles)
        if parts:
            return Long(medium.info, parts)
        return (yield from self._examine(medium))

    def _hearing(self, medium: Fetched) -> Callable[[int, int], None] | None:
        hear = self._on_frame
        return None if hear is None else lambda done, of: hear(medium.path, done, of)

    def _scanned(
        self,
        medium: Fetched,
        result: Findings | MediaError,
        timings: Mapping[str, float],
        before: Mapping[str, float] | None = None,
    ) -> Scanned:
        """The report; `before` is what was spent on the medium in parts."""
        path, spent = medium.path, _timings(medium, timings)
        for stage, milliseconds in (before or {}).items():
            spent[stage] += milliseconds
        if isinstance(result, MediaError):
            info = medium.info if medium.error is None else None
            declared = medium.declared
            report = unable(path, result, self.detector, info=info, timings=spent, declared=declared)
            return Scanned(report, fingerprint=medium.fingerprint)
        findings = replace(result, info=replace(result.info, path=path))
        decision = decide(findings, self.detector, spent, medium.declared)
        return Scanned(decision.report, findings.preview, decision.heat, medium.fingerprint)


def _mark_key(settings: Settings) -> bytes | None:
    """The key of what was generated here, if scans are to look for it and anything ever was."""
    is_there = settings.look_for_watermark and settings.generated_key.exists()
    return read_key(settings.generated_key) if is_there else None


def find_detector(settings: Settings) -> ModelEntry:
    """The detector that the settings name, by name or path, else the default one. Raises ModelError."""
    installed = installed_models(settings)
    return installed.get(settings.model) if settings.model else installed.default("detector")


def installed_models(settings: Settings) -> Registry:
    """The shipped models and those of the folders in the settings."""
    return registry(SHIPPED, *settings.model_folders)


def calibration_of(entry: ModelEntry) -> Calibration:
    """The model's calibration, or that of a detector nobody calibrated. Raises ModelError."""
    try:
        return Calibration.from_dict(dict(entry.calibration)) if entry.calibration else Calibration()
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(
            f"The calibration of model {entry.label} cannot be read: {error}.",
            "Export the model again, or take its calibration out.",
        ) from None


def _timings(medium: Fetched, timings: Mapping[str, float]) -> dict[str, float]:
    """The milliseconds a medium took by stage, and in all."""
    spent = {
        "provenance_ms": 1000 * medium.declared_seconds,
        "decode_ms": 1000 * medium.seconds,
        **timings,
    }
    spent["look_ms"] -= 1000 * medium.waited  # counted as decoding already
    return {**spent, "total_ms": sum(spent.values())}


@dataclass(frozen=True)
class _Examinations(Generic[Result]):
    """Fetched media as the examinations that `batching.run` drives."""

    ahead: DecodeAhead
    examine: Examines[Result]

    def take(self, wait: bool) -> tuple[Fetched, Generator[Pixels, Scores, Result] | MediaError] | None:
        medium = self.ahead.take(wait)
        if medium is None:
            return None
        if medium.error is None:
            return medium, self.examine(medium)
        if isinstance(medium.error, MediaError):
            return medium, medium.error
        raise medium.error
