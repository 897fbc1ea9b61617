"""Pictures beside a report: the heat map as a translucent overlay, and the preview it lies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.errors import OutputError
from evidence.files import write_whole
from evidence.thumbnails import preview_jpg

if TYPE_CHECKING:
    from worker.media import MediaStore
    from worker.scanner import Scanned

HEAT_CELLS = 96

# Fake probability -> RGB and opacity; below the first row nothing is drawn.
_COLOURS = np.array(
    [
        [0.30, 255, 221, 87, 0.00],
        [0.50, 255, 193, 46, 0.32],
        [0.75, 245, 110, 30, 0.52],
        [1.00, 200, 16, 64, 0.64],
    ]
)
_UNSEEN = (128, 128, 128, 70)  # RGBA of cells the detector did not look at


def heat_png(heat: NDArray[np.float32], size: tuple[int, int] | None = None) -> bytes:
    """The heat map as a translucent PNG, one pixel a cell, or `size` (height, width) pixels in all."""
    unseen = np.isnan(heat)
    values = np.where(unseen, 0.0, heat)
    red, green, blue, opacity = (
        np.interp(values, _COLOURS[:, 0], _COLOURS[:, channel]) for channel in (1, 2, 3, 4)
    )
    picture = np.stack([red, green, blue, 255 * opacity], axis=-1).round().astype(np.uint8)
    picture[unseen] = _UNSEEN
    if size is not None:
        picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    done, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))
    if not done:
        raise OutputError(
            "The heat map could not be encoded as PNG.", "Report this with the file it happened on."
        )
    return png.tobytes()


def result_with_pictures(job: str, scanned: Scanned, media: MediaStore) -> dict[str, Any]:
    """The result of a scan, its pictures on disk; they are there before anybody reads of them."""
    heat, preview = scanned.heat, scanned.preview
    if preview is not None:
        write_whole(media.artefact(job, "preview.jpg"), preview_jpg(preview))
        if heat is not None:
            write_whole(media.artefact(job, "heat.png"), heat_png(heat, preview.shape[:2]))
    return {
        "report": {**scanned.report.to_dict(), "id": job},
        "heat": heat is not None and preview is not None,
        "preview": preview is not None,
    }


def coarse(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """The heat map at no more than HEAT_CELLS cells a side, by area mean."""
    rows, columns = heat.shape
    scale = min(1.0, HEAT_CELLS / max(rows, columns))
    if scale == 1:
        return heat
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_AREA), np.float32)
