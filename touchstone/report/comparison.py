"""Detectors side by side as one page with small pictures, JSON beside it: the same bytes on a rerun."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector.compare import FACETS, Comparison, Line
from detector.entries import Entry
from detector.readers import decoded
from evidence.errors import MediaError
from evidence.files import write_whole
from evidence.medium import Pixels
from touchstone.report.article import environment
from touchstone.report.card import finite, style

SCHEMA = "touchstone.comparison/1"
THUMBNAIL = 112  # px, the longer side
SHOWN = 8  # lines of a facet with pictures
ENOUGH = 10  # pictures of each class, to be called the hardest
_TITLES = {
    "family": "By who forged",
    "delivery": "By how it was delivered",
    "attack": "By attack",
}


def comparison_json(found: Comparison, about: Mapping[str, Any]) -> str:
    """The comparison as JSON text; null where there is no number."""
    return json.dumps(finite({"schema": SCHEMA, **about, **found.to_dict()}), indent=2, allow_nan=False)


def write_comparison(
    path: Path, found: Comparison, entries: Sequence[Entry], about: Mapping[str, Any]
) -> None:
    """Write `path` as HTML, and the JSON beside it under its name. Raises OutputError."""
    by_key = {entry.key: entry for entry in entries}
    pictured = [line for facet in FACETS for line in [one for one in found.of(facet) if one.examples][:SHOWN]]
    shown = {example.key for line in pictured for example in line.examples}
    page = (
        environment()
        .get_template("comparison.html")
        .render(
            found=found,
            parts=[(facet, _TITLES[facet], found.of(facet)) for facet in FACETS if found.of(facet)],
            hardest=[_hardest(found, place) for place in range(len(found.detectors))],
            pictures={key: picture for key in sorted(shown) if (picture := _thumbnail(by_key[key]))},
            shown=SHOWN,
            about={"schema": SCHEMA, **about},
            style=style(),
        )
    )
    write_whole(path, page.encode("utf-8", "backslashreplace"))
    write_whole(path.with_suffix(".json"), (comparison_json(found, about) + "\n").encode("utf-8", "replace"))


def _hardest(found: Comparison, place: int) -> list[tuple[str, Line]]:
    """The line of each facet on which one detector fares worst, of those with pictures enough to say."""
    return [
        (facet, min(lines, key=lambda line: line.standings[place].auc))
        for facet in FACETS
        if (lines := [line for line in found.of(facet) if min(line.reals, line.fakes) >= ENOUGH])
    ]


def _thumbnail(entry: Entry) -> str:
    """The picture, of a video its first frame, small, as a data address; nothing where it cannot be read."""
    with suppress(MediaError):
        for _, _, pixels in decoded([entry]):
            return f"data:image/jpeg;base64,{base64.b64encode(_small(pixels)).decode()}"
    return ""


def _small(pixels: Pixels) -> bytes:
    factor = THUMBNAIL / max(pixels.shape[:2])
    if factor < 1:
        size = tuple(max(1, round(side * factor)) for side in pixels.shape[1::-1])
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, written = cv2.imencode(
        ".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85]
    )
    return bytes(written)
