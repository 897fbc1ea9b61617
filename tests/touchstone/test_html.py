"""The HTML report: self-contained, safe against hostile names, whole or absent."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evidence.errors import OutputError
from evidence.medium import Pixels
from evidence.verdict import (
    Attribution,
    Finding,
    ModelUse,
    Reason,
    Region,
    Report,
    Segment,
    Stability,
    Threshold,
    TimelinePoint,
    Verdict,
)
from tests.full_disk import files_of_at_most
from touchstone.report.html import HtmlOptions, HtmlWriter, write_html
from touchstone.report.item import ReportItem

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
THRESHOLD = Threshold("pooled", 0.9, 0.01, "held-out photographs", 1204)
HOSTILE = 'invoice\u202egpj.<script>alert(1)</script>"onerror=x&\udcff.jpg'


def _report(path: str, verdict: Verdict = "fake", **fields: object) -> Report:
    probability = {"fake": 0.97, "uncertain": 0.6, "real": 0.03}[verdict]
    media = {
        "path": path,
        "sha256": "ab" * 32,
        "kind": "image",
        "mime": "image/jpeg",
        "width": 256,
        "height": 192,
    }
    given = {"verdict": verdict, "fake_probability": probability, "threshold": THRESHOLD} | fields
    return Report(path, media, "ok", **given)  # type: ignore[arg-type]


def _unable(path: str) -> Report:
    return Report(path, {"path": path}, "unable", Reason("damaged", "The JPEG ends early. Fetch it again."))


class _Page(HTMLParser):
    """What a browser would find: elements, identifiers, addresses, scripts and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.text = ""
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "srcset", "data", "action"):
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == "script" and data.strip():
            self.scripts.append(data)
        else:
            self.text += data


def test_every_file_has_a_row_in_order_and_every_link_lands(tmp_path: Path) -> None:
    reports = [_report("b.jpg"), _unable("a.jpg"), _report("c.jpg", "real"), _report("d.jpg", "uncertain")]

    write_html(map(ReportItem, reports), tmp_path / "report.html", made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert [page.text.index(report.id) for report in reports] == sorted(
        page.text.index(r.id) for r in reports
    )
    anchors = [address for address in page.addresses if address.startswith("#")]
    assert {anchor[1:] for anchor in anchors} <= set(page.ids)
    assert page.ids.count("item-1") == 1
    assert "item-4" in page.ids


def test_a_hostile_name_is_shown_and_does_nothing(tmp_path: Path) -> None:
    finding = Finding("metadata", HOSTILE, 1.0, HOSTILE)
    report = _report(
        HOSTILE,
        evidence=(finding,),
        attribution=(Attribution(HOSTILE, 0.5),),
        warnings=(HOSTILE,),
        provenance={"metadata": [HOSTILE], HOSTILE: {HOSTILE: HOSTILE}},
        models=(ModelUse(HOSTILE, HOSTILE, HOSTILE, 0.9, 1.0),),
        engine={HOSTILE: HOSTILE},
        reason=Reason("unstable", HOSTILE),
    )

    write_html([ReportItem(report)], tmp_path / "report.html", HtmlOptions(title=HOSTILE), made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert page.elements.count("script") == 1
    assert page.handlers == []
    assert "\u202e" not in page.text
    assert r"invoice\u202egpj.<script>alert(1)</script>" in page.text


def test_the_page_loads_nothing_and_its_policy_names_its_only_script(tmp_path: Path, photo: Pixels) -> None:
    heat = np.full((24, 32), 0.95, np.float32)

    write_html([ReportItem(_report("a.jpg"), photo, heat)], tmp_path / "report.html", made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert all(address.startswith(("#", "data:image/")) for address in page.addresses)
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert "default-src 'none'" in page.policy
    assert "url(" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_file_without_a_verdict_says_why_and_what_to_do(tmp_path: Path) -> None:
    write_html([ReportItem(_unable("a.jpg"))], tmp_path / "report.html", made_at=NOON)

    text = _Page(tmp_path / "report.html").text
    assert "No verdict" in text
    assert "damaged" in text
    assert "The JPEG ends early. Fetch it again." in text


def test_a_video_shows_its_timeline_its_segments_and_the_frame_in_the_picture(
    tmp_path: Path, photo: Pixels
) -> None:
    points = tuple(TimelinePoint(t / 2, t * 12, 0.96 if 4 <= t < 8 else 0.05) for t in range(12))
    report = _report("a.mp4", timeline=points, segments=(Segment(2.0, 4.0, 0.96),), stability=Stability(2, 2))
    report.media.update(kind="video", duration_s=6.0, frames=144, fps_mode="constant")

    write_html([ReportItem(report, photo)], tmp_path / "report.html", made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert "0:02.0 to 0:04.0 reads as forged" in page.text
    assert "Frame at 0:02.0" in page.text
    assert "The verdict held in all 2 re-encodings." in page.text
    assert '<rect x="333.3" y="0" width="333.3"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_region_is_drawn_where_it_lies_in_the_medium(tmp_path: Path, photo: Pixels) -> None:
    # The preview may be smaller than the medium: the drawing has the medium's own pixels as its unit.
    report = _report("a.jpg", regions=(Region((64, 48, 128, 144), "face", 0.99),))

    write_html([ReportItem(report, photo[::2, ::2])], tmp_path / "report.html", made_at=NOON)

    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'class="boxes" viewBox="0 0 256 192"' in content
    assert '<rect x="64" y="48" width="64" height="96"/>' in content


def test_reals_give_way_when_the_pictures_grow_too_many(tmp_path: Path, photo: Pixels) -> None:
    options = HtmlOptions(preview_bytes=20_000)
    items = [ReportItem(_report(f"{index}.jpg", "real"), photo) for index in range(4)]
    items.append(ReportItem(_report("fake.jpg"), photo))

    write_html(items, tmp_path / "report.html", options, made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert 1 <= page.text.count("The preview was left out") <= 3
    fake = page.text[page.text.rindex("fake.jpg") :]
    assert "The preview was left out" not in fake


def test_of_thousands_only_the_suspicious_are_shown_in_full(tmp_path: Path) -> None:
    verdicts: list[Verdict] = ["real", "real", "real", "fake", "uncertain"]
    items = [ReportItem(_report(f"{index}.jpg", verdict)) for index, verdict in enumerate(verdicts)]

    write_html(items, tmp_path / "report.html", HtmlOptions(full_items=2), made_at=NOON)

    page = _Page(tmp_path / "report.html")
    assert {name for name in page.ids if name.startswith("item-")} == {"item-1", "item-2", "item-4", "item-5"}
    assert "2.jpg" in page.text


def test_the_same_items_at_the_same_time_give_the_same_bytes(tmp_path: Path, photo: Pixels) -> None:
    heat = np.linspace(0, 1, 24 * 32, dtype=np.float32).reshape(24, 32)
    for name in ("one.html", "two.html"):
        write_html([ReportItem(_report("a.jpg"), photo, heat)], tmp_path / name, made_at=NOON)

    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_an_unfinished_report_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted() -> Iterator[ReportItem]:
        yield ReportItem(_report("a.jpg"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_html(interrupted(), tmp_path / "report.html")

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path, photo: Pixels) -> None:
    with files_of_at_most(10_000), pytest.raises(OutputError, match=r"report\.html cannot be written"):
        write_html([ReportItem(_report("a.jpg"), photo)] * 50, tmp_path / "report.html")

    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_said_before_anything_is_scanned(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"):
        HtmlWriter(tmp_path / "missing" / "report.html")


def test_a_link_stays_and_the_file_it_names_is_written(tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "link.html").symlink_to(Path("shelf", "report.html"))

    write_html([ReportItem(_report("a.jpg"))], tmp_path / "link.html")

    assert (tmp_path / "link.html").is_symlink()
    assert "a.jpg" in _Page(tmp_path / "shelf" / "report.html").text
    assert [path.name for path in (tmp_path / "shelf").iterdir()] == ["report.html"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as reader:
        page = reader.submit((tmp_path / "pipe").read_text, encoding="utf-8")
        write_html([ReportItem(_report("a.jpg"))], tmp_path / "pipe")

    assert page.result().rstrip().endswith("</html>")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_device_is_said_and_stays_a_device() -> None:
    with pytest.raises(OutputError, match="No space left on device"):
        write_html([ReportItem(_report("a.jpg"))], Path("/dev/full"))

    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_a_folder_is_refused_before_anything_is_scanned(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory"):
        HtmlWriter(tmp_path)
