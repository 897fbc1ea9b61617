"""The PDF report: what a reader, a screen reader and an archive find in it, and what it never fetches."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evidence.errors import DamagedMedia, UsageError
from evidence.image import decode_image
from evidence.verdict import Report, Segment, TimelinePoint
from provenance.beside import Difference
from tests.command_line import write_picture
from touchstone.report.beside import Beside
from touchstone.report.item import ReportItem
from touchstone.report.printed import pdf_of
from worker.scanner import Scanner
from worker.settings import load_settings


@pytest.fixture(scope="module")
def report(models_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the colour detector says of a red picture."""
    folder = tmp_path_factory.mktemp("report")
    settings = load_settings(models=str(models_folder), decoders=1, threads=1, data_dir=folder)
    with Scanner(settings) as scanner:
        return scanner.scan(write_picture(folder / "red.png", 6))


def named(report: Report, name: str) -> Report:
    return replace(report, media={**report.media, "path": name})


def read(pdf: bytes, tool: str, *options: str) -> str:
    """What one of poppler's tools finds in a PDF."""
    run = subprocess.run(
        [tool, *options, "-", "-"][: -1 if tool == "pdfinfo" else None], input=pdf, capture_output=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.decode()


def test_verdict_interval_why_model_and_sum_can_be_read(report: Report) -> None:
    pdf = pdf_of(ReportItem(named(report, "cat.jpg")))
    words = " ".join(read(pdf, "pdftotext", "-layout").split())
    for said in (
        "Fake",
        "cat.jpg",
        "95 % interval",
        "fake from",
        "Why",
        report.models[0].sha256,
        "page 1 of",
    ):
        assert said in words
    assert str(report.media["sha256"]) in words


def test_it_is_tagged_and_carries_title_language_and_its_kind(report: Report) -> None:
    pdf = pdf_of(ReportItem(named(report, "cat.jpg")))
    info = read(pdf, "pdfinfo")
    assert "Scan report: cat.jpg" in info
    assert "Tagged:          yes" in info
    assert "A4" in info
    assert b"/Lang (en)" in b"".join(_streams(pdf))
    about = read(pdf, "pdfinfo", "-meta")
    assert 'pdfaid:part="3" pdfaid:conformance="A"' in about
    assert "H1" in read(pdf, "pdfinfo", "-struct")


def test_what_it_was_made_from_and_what_was_signed_stand_beside_it_and_the_change_is_framed(
    report: Report, tmp_path: Path
) -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    changed = Beside("signed", "A <cat>", grey, Difference(0.25, (0.25, 0.25, 0.75, 0.75)))
    other = Beside("parent", "dog.png", np.full((40, 96, 3), 60, np.uint8), None)

    pdf = pdf_of(ReportItem(report, grey, beside=(other, changed)))

    words = " ".join(read(pdf, "pdftotext", "-layout").split())
    for said in (
        "Made from", "dog.png, as the manifest holds it", "Changed after it was signed",
        "A <cat>, when it was signed", "This file, framed where they differ",
        "They differ in 25 % of the picture", "The two have different shapes",
    ):  # fmt: skip
        assert said in words
    subprocess.run(["pdfimages", "-j", "-", str(tmp_path / "picture")], input=pdf, check=True)
    drawn = [cv2.imread(str(path)) for path in tmp_path.iterdir()]
    assert sum(picture.shape == (64, 96, 3) and picture[16, 24:72].mean() > 180 for picture in drawn) == 1
    assert "Made from" not in read(pdf_of(ReportItem(report, grey)), "pdftotext")


def test_the_heat_map_is_drawn_into_the_picture(report: Report, tmp_path: Path) -> None:
    grey = np.full((64, 96, 3), 128, np.uint8)
    heat = np.zeros((8, 12), np.float32)
    heat[2:6, 4:8] = 1.0

    pdf = pdf_of(ReportItem(replace(report, regions=()), grey, heat))

    subprocess.run(["pdfimages", "-j", "-", str(tmp_path / "picture")], input=pdf, check=True)
    (drawn,) = tmp_path.iterdir()
    blue, _, red = cv2.imread(str(drawn))[32, 48].astype(int)
    assert red > blue + 50
    assert "almost surely forged" in " ".join(read(pdf, "pdftotext").split())
    assert np.all(grey == 128)


def test_a_video_has_its_course_its_stretches_and_its_worst_frames(report: Report) -> None:
    points = tuple(TimelinePoint(n / 2, 12 * n, 0.9 if 4 <= n < 8 else 0.2) for n in range(12))
    video = replace(report, timeline=points, segments=(Segment(2.0, 4.0, 0.9),))
    words = read(pdf_of(ReportItem(video)), "pdftotext", "-layout")
    assert "Frames that read most as forged" in words
    assert "reads as forged, 90" in words
    assert "12 frames judged" in words


@pytest.mark.parametrize(
    "name",
    ["<img src=http://127.0.0.1:9/x.png>.png", "</style><link href=file:///etc/passwd>", "\u202egnp.exe"],
)
def test_a_hostile_name_is_only_ever_text(report: Report, name: str) -> None:
    pdf = pdf_of(ReportItem(named(report, name)))
    assert b"root:" not in pdf
    assert ("src=http" in read(pdf, "pdftotext", "-raw")) == ("src=http" in name)


def test_a_damaged_picture_is_refused_after_a_pdf_was_drawn_as_before(report: Report) -> None:
    pdf_of(ReportItem(report))
    kept = BytesIO()
    Image.effect_noise((64, 64), 50).save(kept, "PNG")
    with pytest.raises(DamagedMedia):
        decode_image(kept.getvalue()[:2000])


def test_without_weasyprint_it_says_what_to_install(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UsageError, match=r"touchstone\[pdf\]"):
        pdf_of(ReportItem(report))


def _streams(pdf: bytes) -> Iterator[bytes]:
    """What is compressed in a PDF."""
    for found in re.finditer(rb"/FlateDecode[^>]*>>\s*stream\n", pdf):
        yield zlib.decompressobj().decompress(pdf[found.end() :])
