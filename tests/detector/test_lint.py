"""The linter finds the shortcut that was planted, and passes a set without one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.lint import LintReport, lint
from detector.readers import Entry, Label
from evidence.errors import DataError, UnsupportedMedia
from evidence.medium import Pixels
from tests.detector.pictures import checkered, photograph

Writer = Callable[[Path, Pixels, str], Path]


def jpeg(path: Path, pixels: Pixels, label: str) -> Path:
    target = path.with_suffix(".jpg")
    Image.fromarray(pixels).save(target, quality=90)
    return target


def planted(folder: Path, write: Writer = jpeg, count: int = 40) -> list[Entry]:
    """Pairs of a real picture and its twin, delivered by `write`."""
    entries = []
    for number in range(count):
        real = photograph(number, 40, 48)
        versions: dict[Label, Pixels] = {"real": real, "fake": checkered(real)}
        for label, pixels in versions.items():
            path = write(folder / f"{label[0]}{number:03d}", pixels, label)
            entries.append(Entry(path, path.name, label, group=f"g{number}", split="train"))
    return entries


def failures(report: LintReport) -> set[str]:
    return {probe.name for probe in report.probes if not probe.passed}


def test_aligned_twins_pass_every_probe(tmp_path: Path) -> None:
    report = lint(planted(tmp_path))

    assert report.passed
    assert failures(report) == set()
    assert (report.reals, report.fakes) == (40, 40)
    assert report.to_dict()["passed"] is True


def test_a_difference_in_format_is_found(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        if label == "real":
            return jpeg(path, pixels, label)
        target = path.with_suffix(".png")
        Image.fromarray(pixels).save(target)
        return target

    report = lint(planted(tmp_path, write))

    assert not report.passed
    assert {"format", "quantisation tables"} <= failures(report)
    assert report.probes[0].auc == 1.0
    assert "one format" in next(probe.advice for probe in report.probes if probe.name == "format")


def test_a_difference_in_quality_is_found_and_named(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        target = path.with_suffix(".jpg")
        Image.fromarray(pixels).save(target, quality=75 if label == "real" else 95)
        return target

    report = lint(planted(tmp_path, write))

    assert "quantisation tables" in failures(report)
    assert failures(report) & {"size", "format"} == set()


def test_a_difference_in_size_is_found(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        return jpeg(path, pixels if label == "real" else pixels[:32, :32], label)

    assert "size" in failures(lint(planted(tmp_path, write)))


def test_a_drift_of_colour_is_found(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        if label == "fake":
            pixels = np.clip(np.add(pixels, [25, 0, -25], dtype=int), 0, 255).astype(np.uint8)
        return jpeg(path, pixels, label)

    assert "colour histogram" in failures(lint(planted(tmp_path, write)))


def test_names_that_tell_the_label_are_mentioned_but_do_not_fail_the_set(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        return jpeg(path if label == "real" else path.with_name(f"{path.name}_generated_0"), pixels, label)

    report = lint(planted(tmp_path, write))

    assert failures(report) == {"file name"}
    assert report.passed


def test_the_same_bytes_in_two_splits_or_under_two_labels_fail_the_set(tmp_path: Path) -> None:
    entries = planted(tmp_path)
    copy = replace(entries[0], key="copy", split="test")
    mislabelled = replace(entries[2], key="wrong", label="fake")

    report = lint([*entries, copy, mislabelled])

    assert not report.passed
    assert report.duplicates_across_splits == (("r000.jpg", "copy"),)
    assert report.duplicates_across_labels == (("r001.jpg", "wrong"),)
    assert report.groups_across_splits == ("g0",)


def test_too_few_groups_cannot_be_probed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 groups of real"):
        lint(planted(tmp_path, count=4))


def test_a_broken_picture_is_handed_over_and_the_rest_is_probed(tmp_path: Path) -> None:
    entries = planted(tmp_path, count=5)
    entries[3].path.write_bytes(b"no picture")
    entries.append(replace(entries[1], group="g5", path=entries[1].path))
    failed: list[tuple[str, str]] = []

    report = lint(entries, on_failed=lambda entry, error: failed.append((entry.key, error.code)))

    assert failed == [(entries[3].key, "unsupported")]
    assert (report.reals, report.fakes) == (5, 5)
    with pytest.raises(DataError, match="4 groups of fake"):
        lint(entries[:-1], on_failed=lambda entry, error: None)
    with pytest.raises(UnsupportedMedia):
        lint(entries)
