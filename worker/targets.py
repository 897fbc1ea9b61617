"""Detectors as attacks meet them: along the path that `touchstone scan` takes."""

from __future__ import annotations

from testsets.target import Target
from worker.scan import judge_picture
from worker.scanner import calibration_of, find_detector
from worker.settings import Settings


def open_target(settings: Settings, model: str | None = None) -> Target:
    """The detector of that name or file, else that of the settings. Raises ModelError."""
    from exports.runtime import open_detector

    entry = find_detector(settings.model_copy(update={"model": model}) if model else settings)
    calibration, tiles = calibration_of(entry), settings.tiles_per_image
    session = open_detector(entry, settings.device, settings.threads)
    return Target(
        entry.label,
        lambda pixels: judge_picture(pixels, session.run, tiles=tiles, part_margin=calibration.part_margin),
        calibration,
        entry,
        tiles,
    )


def open_steady(settings: Settings, model: str | None = None, tiles: int | None = None) -> Target:
    """The same on one thread of a CPU, where it answers to the bit what it answered before."""
    steady: dict[str, object] = {"device": "cpu", "threads": 1}
    return open_target(
        settings.model_copy(update=steady | ({"tiles_per_image": tiles} if tiles else {})), model
    )
