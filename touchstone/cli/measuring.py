"""A detector opened to be measured: along the path that `scan` runs, its scores kept for a later run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from detector.scoring import Scorer
from detector.thresholds import Calibration
from exports.registry import ModelEntry
from touchstone.cli.scores import ScoreFile
from worker.settings import Settings


@dataclass(frozen=True)
class Opened:
    """The detector, how it is read, and what scores media by it."""

    entry: ModelEntry
    calibration: Calibration
    scorer: Scorer


@contextmanager
def opened_detector(settings: Settings, scores: Path | None = None) -> Iterator[Opened]:
    """The detector of the settings; what stands in `scores` is not scored again. Raises ModelError."""
    from exports.runtime import open_detector
    from worker.scan import judge_picture
    from worker.scanner import calibration_of, find_detector

    entry = find_detector(settings)
    calibration = calibration_of(entry)
    session = open_detector(entry, settings.device, settings.threads)
    done_with = f"{entry.sha256} {settings.tiles_per_image} {settings.sampling} {calibration}"
    notebook = ScoreFile(scores, done_with) if scores else None
    scorer = Scorer(
        lambda pixels: judge_picture(
            pixels, session.run, tiles=settings.tiles_per_image, part_margin=calibration.part_margin
        ),
        calibration,
        sampling=settings.sampling,
        notebook=notebook,
    )
    try:
        yield Opened(entry, calibration, scorer)
    finally:
        if notebook is not None:
            notebook.close()
