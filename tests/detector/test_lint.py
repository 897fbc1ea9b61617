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
    return {probe.name for probe in report.probes if probe.leaks}


def test_aligned_twins_pass_every_probe(tmp_path: Path) -> None:
    report = lint(planted(tmp_path))

    assert report.passed
    assert failures(report) <= {"JPEG grid"}  # which the pattern of this forgery drowns; advice alone
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

    assert failures(report) - {"JPEG grid"} == {"file name"}
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


def test_a_picture_that_was_only_written_anew_is_found_in_another_split(tmp_path: Path) -> None:
    class ByMean:
        """Two pictures look alike when their means do."""

        def __init__(self) -> None:
            self.means: list[float] = []

        def add(self, pixels: Pixels) -> list[int]:
            self.means.append(float(pixels.mean()))
            near = [abs(mean - self.means[-1]) < 1e-9 for mean in self.means[:-1]]
            return [number for number, is_near in enumerate(near) if is_near]

    entries = planted(tmp_path)
    again = tmp_path / "again.png"
    with Image.open(entries[0].path) as picture:
        picture.save(again)
    copy = replace(entries[0], path=again, key="again.png", split="test", group="another")

    report = lint([*entries, copy], look_alikes=ByMean())

    assert report.lookalikes_across_splits == (("r000.jpg", "again.png"),)
    assert report.verdict == "failed"


def test_labels_that_say_the_opposite_of_the_folders_fail_the_set(tmp_path: Path) -> None:
    swapped = [
        replace(entry, key=f"{'1_fake' if entry.label == 'real' else '0_real'}/{entry.key}")
        for entry in planted(tmp_path)
    ]

    report = lint(swapped)

    assert len(report.labels_contradicted) == len(swapped)
    assert report.verdict == "failed"


def test_a_small_set_of_unrelated_pictures_is_too_small_to_tell(tmp_path: Path) -> None:
    entries = []
    for number in range(24):
        path = jpeg(tmp_path / str(number), photograph(number, 40, 48), "")
        entries.append(Entry(path, path.name, "real" if number % 2 else "fake", group=str(number)))

    report = lint(entries)

    assert report.verdict == "too few to tell"
    assert any(not probe.passed and not probe.leaks for probe in report.probes)


def test_a_history_of_jpeg_is_found_inside_a_png(tmp_path: Path) -> None:
    def write(path: Path, pixels: Pixels, label: str) -> Path:
        target = path.with_suffix(".png")
        if label == "real":
            with Image.open(jpeg(path, pixels, label)) as once:
                pixels = np.asarray(once)
        Image.fromarray(pixels).save(target)
        return target

    assert "JPEG grid" in failures(lint(planted(tmp_path, write)))


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
